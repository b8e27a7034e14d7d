"""What of a home's locks, covers and alarm panels something would move: an entity, a script, a scene, an action, an automation.

Scripts are read, not run: what they call, and what the scripts and scenes behind that call. What a template decides is only known when it
runs, so an action whose name or target is a template counts where it could move something sensitive.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from homeassistant.const import (
    ATTR_AREA_ID,
    ATTR_DEVICE_ID,
    ATTR_ENTITY_ID,
    ATTR_FLOOR_ID,
    ATTR_LABEL_ID,
    CONF_ACTION,
    CONF_CONDITION,
    CONF_DEVICE_ID,
    CONF_DOMAIN,
    CONF_PLATFORM,
    CONF_SCENE,
    CONF_SERVICE,
    CONF_SERVICE_DATA,
    CONF_SERVICE_TEMPLATE,
    CONF_TARGET,
    CONF_TRIGGER,
    CONF_TYPE,
    ENTITY_MATCH_ALL,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.target import TargetSelection, async_extract_referenced_entity_ids
from homeassistant.helpers.template import Template

SENSITIVE: Final = frozenset({"alarm_control_panel", "cover", "lock"})
_TARGETS: Final = (ATTR_ENTITY_ID, ATTR_DEVICE_ID, ATTR_AREA_ID, ATTR_FLOOR_ID, ATTR_LABEL_ID)
_NOT_DONE: Final = frozenset({CONF_CONDITION, CONF_PLATFORM, CONF_TRIGGER})
"""What a step of a device has where it only looks at it."""
_CALLS: Final = (CONF_ACTION, CONF_SERVICE, CONF_SERVICE_TEMPLATE)
_HARMLESS: Final = frozenset({"script.reload", "script.turn_off"})


class Reach:
    """Collects names: ask it what something reaches, and read `names`."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._names: dict[str, None] = {}
        self._seen: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Of what would be moved, each once; empty where that is nothing sensitive."""
        return tuple(self._names)

    def entity(self, entity_id: str) -> None:
        """Something that is turned on, run or moved."""
        if entity_id in self._seen:
            return
        self._seen.add(entity_id)
        domain = entity_id.partition(".")[0]
        if domain in SENSITIVE:
            self.add(self._name(entity_id))
        elif domain == "script":
            self._script(entity_id)
        elif (state := self._hass.states.get(entity_id)) is not None:
            members = state.attributes.get(ATTR_ENTITY_ID)  # those of a group, and of a scene
            for member in members if isinstance(members, list | tuple | set) else ():
                self.entity(str(member))

    def action(self, name: str, target: object, data: Mapping[str, Any]) -> None:
        """An action (`lock.unlock`) with its target, which a template may be, and its data."""
        domain, _, verb = name.partition(".")
        entities, open_end = self._targets(target, data)
        if _is_template(name):
            self.add(name)
        elif domain in SENSITIVE:
            for entity_id in entities:
                self.entity(entity_id)
            if open_end or not entities:
                self.add(name)
        elif domain == "script" and verb not in {"turn_on", "toggle"}:
            if name not in _HARMLESS:
                self.entity(f"script.{verb}")
        elif name == "scene.apply":
            for entity_id in _mapping(data.get("entities")):
                self.entity(str(entity_id))
        elif name == "automation.trigger":
            for entity_id in entities:
                self.automation(entity_id)
        elif domain in {"homeassistant", "scene", "script"} and open_end:
            self.add(name)
        else:
            for entity_id in entities:
                self.entity(entity_id)

    def automation(self, entity_id: str) -> None:
        """An automation that is triggered."""
        if entity_id in self._seen:
            return
        self._seen.add(entity_id)
        component = self._hass.data.get("automation")
        found = component.get_entity(entity_id) if component is not None else None
        self.steps(getattr(getattr(found, "action_script", None), "sequence", None))

    def steps(self, steps: object) -> None:
        """The steps of a script, with those inside of them."""
        if isinstance(steps, Mapping):
            self._step(steps)
            for inside in steps.values():
                self.steps(inside)
        elif isinstance(steps, Sequence) and not isinstance(steps, str):
            for inside in steps:
                self.steps(inside)

    def add(self, name: str) -> None:
        """Something that counts, by its name."""
        self._names[name] = None

    def _step(self, step: Mapping[str, Any]) -> None:
        action = next((step[key] for key in _CALLS if key in step), None)
        if isinstance(action, str | Template):
            self.action(_text(action), step.get(CONF_TARGET), {**_mapping(step), **_mapping(step.get(CONF_SERVICE_DATA))})
        elif isinstance(scene := step.get(CONF_SCENE), str):
            self.entity(scene)
        elif step.get(CONF_DOMAIN) in SENSITIVE and CONF_TYPE in step and _NOT_DONE.isdisjoint(step):
            device = dr.async_get(self._hass).async_get(str(step.get(CONF_DEVICE_ID)))
            name = (device.name_by_user or device.name) if device is not None else None
            self.add(name or f"{step[CONF_DOMAIN]}.{step[CONF_TYPE]}")

    def _script(self, entity_id: str) -> None:
        component = self._hass.data.get("script")
        if component is None:
            return
        key = entity_id.partition(".")[2]  # of the entity, or of the script as its action is called
        found = component.get_entity(entity_id) or next((one for one in component.entities if one.unique_id == key), None)
        if found is None:
            return
        inside = Reach(self._hass)
        inside._seen = self._seen
        inside.steps(getattr(getattr(found, "script", None), "sequence", None))
        if inside.names:
            self.add(f"{self._name(found.entity_id)} ({', '.join(inside.names)})")

    def _targets(self, *places: object) -> tuple[set[str], bool]:
        """The entities that are named, by themselves or by their device, area, floor or label; and whether a template names others."""
        named: dict[str, list[str]] = {}
        open_end = any(_is_template(place) for place in places)
        for kind, one in ((key, one) for place in places for key in _TARGETS for one in _each(_mapping(place).get(key))):
            if _is_template(one) or one == ENTITY_MATCH_ALL:
                open_end = True
            else:
                named.setdefault(kind, []).append(str(one))
        if not named:
            return set(), open_end
        selected = async_extract_referenced_entity_ids(self._hass, TargetSelection(named), expand_group=False)
        return selected.referenced | selected.indirectly_referenced, open_end

    def _name(self, entity_id: str) -> str:
        state = self._hass.states.get(entity_id)
        return state.name if state is not None else entity_id


def _each(value: object) -> Iterable[object]:
    if value is None:
        return ()
    return value if isinstance(value, list | tuple | set) else (value,)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: str | Template) -> str:
    return value.template if isinstance(value, Template) else value


def _is_template(value: object) -> bool:
    return isinstance(value, Template) or (isinstance(value, str) and ("{{" in value or "{%" in value))
