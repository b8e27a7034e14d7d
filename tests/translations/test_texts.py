import re

import pytest

from scripts.lib import reference, translations
from scripts.lib.translations import PLACEHOLDER, flat, languages, load, section

OTHERS = [language for language in languages() if language != translations.SOURCE]
HTML = re.compile(r"<\s*[a-zA-Z/!]")
LONGEST_CHOICE = 38
LINK = re.compile(r"\w+://")
QUOTED_PLACEHOLDER = re.compile(r"'[{}]")


@pytest.mark.parametrize("language", languages())
def test_texts_are_plain(language):
    for path, text in flat(load(language)):
        assert text, f"{path} is empty"
        assert not HTML.search(text), f"{path} holds HTML: {text}"
        assert "[%key" not in text, f"{path} refers to core's build, which is not there for us: {text}"


@pytest.mark.parametrize("language", languages())
def test_home_assistant_can_read_the_integrations_texts(language):
    """What hassfest asks for: links as placeholders, since they differ by language; no quotes that ICU would take as an escape."""
    for path, text in flat(section(load(language), "integration")):
        assert not LINK.search(text), f"{path} holds a link: {text}"
        assert not QUOTED_PLACEHOLDER.search(text), f"{path} quotes a placeholder, which escapes it: {text}"
        for brace in re.findall(r"[{}]", PLACEHOLDER.sub("", text)):
            pytest.fail(f"{path} has a stray {brace}: {text}")


@pytest.mark.parametrize("language", languages())
def test_what_is_chosen_from_a_menu_can_be_read_on_a_phone(language):
    """A longer line is cut there; what explains it (`menu_option_descriptions`) takes several."""
    for path, text in flat(section(load(language), "integration")):
        if ".menu_options." in path:
            assert len(text) <= LONGEST_CHOICE, f"{path}: {text}"


@pytest.mark.parametrize("language", languages())
def test_no_two_fields_of_an_action_have_the_same_name(language):
    seen = set()
    for path, text in flat(section(load(language), "integration")):
        if found := re.fullmatch(r"((?:services|triggers|conditions)\.\w+)\.fields\.\w+\.name", path):
            assert (found[1], text) not in seen, path
            seen.add((found[1], text))
    assert seen


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_says_everything(language):
    theirs = load(language)
    for name in translations.SECTIONS:
        english = {path for path, _ in flat(section(load(translations.SOURCE), name))}
        said = {path for path, _ in flat(section(theirs, name))}
        assert sorted(english - said) == [], f"missing in {language}, {name}"
        assert sorted(said - english) == [], f"only in {language}, {name}"


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_the_same_placeholders(language):
    english = {path: sorted(set(PLACEHOLDER.findall(text))) for path, text in flat(load(translations.SOURCE))}
    for path, text in flat(load(language)):
        assert sorted(set(PLACEHOLDER.findall(text))) == english.get(path), f"{language}: {path}: {text}"


def test_what_is_generated_is_up_to_date():
    assert translations.stale() == [], "run scripts/translate"


def test_texts_are_written_for_both_readers_and_follow_their_source(tmp_path):
    source = tmp_path / "translations" / "en.yaml"
    source.parent.mkdir()
    source.write_text(
        "app: {configuration: {port: {name: Port}}}\nintegration: {entity: {switch: {a: {state: {on: 'On', off: Off}}}}}\n",
        encoding="utf-8",
    )
    (tmp_path / "translations" / "de.yaml").write_text("app: {configuration: {port: {name: Anschluß}}}\n", encoding="utf-8")
    assert [str(path) for path in translations.write(tmp_path)] == [
        "addon/translations/de.yaml",
        "addon/translations/en.yaml",
        "custom_components/signal_courier/translations/en.json",
    ]
    assert '"on": "On"' in (tmp_path / "custom_components/signal_courier/translations/en.json").read_text(encoding="utf-8")
    assert "Anschluß" in (tmp_path / "addon/translations/de.yaml").read_text(encoding="utf-8")
    assert translations.missing("de", tmp_path) == ["integration.entity.switch.a.state.on", "integration.entity.switch.a.state.off"]
    assert translations.stale(tmp_path) == []
    source.write_text("integration: {entity: {switch: {a: {state: {on: 'Yes'}}}}}\n", encoding="utf-8")
    assert len(translations.stale(tmp_path)) == 2
    translations.write(tmp_path)
    assert translations.stale(tmp_path) == []
    assert not (tmp_path / "addon/translations/en.yaml").exists()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("app: {a: b, a: c}", "comes twice"),
        ("web: {a: b}", "unknown sections"),
        ("app: {a: [b]}", "expected texts by key"),
        ("app: {a: b", "en.yaml"),
    ],
)
def test_a_wrong_source_is_told_with_its_place(tmp_path, text, wrong):
    (tmp_path / "translations").mkdir()
    (tmp_path / "translations" / "en.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(translations.TranslationError, match=wrong):
        load("en", tmp_path)


def test_the_documentation_gets_its_tables_and_keeps_what_people_wrote():
    page = (
        "# Actions\nHello\n\n## Greet: `signal_courier.greet`\nMind the gap.\n"
        "<!-- fields -->\nold\n<!-- /fields -->\nAfter\n## Other: `x`\n"
    )
    definitions = {"greet": {"fields": {"who": {"required": True}, "more": {"fields": {"how": None}}}}}
    texts = {
        "greet": {
            "name": "Greet somebody",
            "description": "Says hello.",
            "fields": {"who": {"name": "Who", "description": "A or | B."}, "how": {"name": "How", "description": "Loud."}},
        }
    }
    filled = reference.fill(page, "services", definitions, texts)
    assert filled == (
        "# Actions\nHello\n\n## Greet: `signal_courier.greet`\nMind the gap.\n<!-- fields -->\n"
        "Says hello.\n\n**In the UI**: in an automation or a script, *Add action* and search for *Greet somebody*; "
        "to try it, *Settings → Developer tools → Actions*.\n\n"
        "| field | in the UI | what it is |\n| --- | --- | --- |\n| `who`, required | Who | A or \\| B. |\n| `how` | How | Loud. |\n"
        "<!-- /fields -->\nAfter\n## Other: `x`\n"
    )
    assert reference.fill(filled, "services", definitions, texts) == filled
