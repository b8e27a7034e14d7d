import re

import yaml

from signal_courier.app import layout
from tests.packaging.description import ROOT, load

EXAMPLES = ROOT / "docs" / "examples"
IMAGE = f"{load()['image']}:{load()['version']}"


def test_compose_takes_the_image_and_the_volume_of_upstream():
    service = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())["services"]["signal-courier"]
    assert service["image"] == IMAGE
    assert service["ports"] == [f"127.0.0.1:8080:{layout.PORT}"]
    assert [volume.split(":")[1] for volume in service["volumes"]] == [str(layout.UPSTREAM_DATA)]
    assert service["user"] == f"{layout.USER}:{layout.USER}"
    assert f"/run:exec,uid={layout.USER},gid={layout.USER},mode=755" in service["tmpfs"], "s6 wants a /run of its own user"


def test_kubernetes_runs_one_copy_and_asks_what_the_image_asks():
    parts = {part["kind"]: part for part in yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text())}
    deployment = parts["Deployment"]["spec"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")
    pod = deployment["template"]["spec"]
    assert pod["enableServiceLinks"] is False
    (container,) = pod["containers"]
    assert container["image"] == IMAGE
    assert {tuple(container[probe]["exec"]["command"]) for probe in ("startupProbe", "livenessProbe")} == {(str(layout.HEALTH),)}
    assert container["ports"][0]["containerPort"] == layout.PORT
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [str(layout.UPSTREAM_DATA)]
    assert len(parts["Secret"]["stringData"]["token"]) >= 16


def test_the_documentation_names_the_image_as_it_is():
    pages = "\n".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    found = set(re.findall(r"ghcr\.io/signal-courier/[^\s`]+", pages))
    assert found == {IMAGE}
