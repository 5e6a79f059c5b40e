"""Holds rendered manifests to schemas and to each other: schemas.py RENDERED_DIRECTORY OPERATOR_DIRECTORY

Kubernetes' own kinds are validated by kubernetes-validate for the oldest and the newest version. The operator's kinds
go into a TypeScript program: its compiler rejects unknown fields, and running it validates the values.
"""

import json
import pathlib
import subprocess
import sys

import yaml

VERSIONS = ["1.30", "1.37"]
OPERATOR = "monitoring.coreos.com/"
EXAMPLES = pathlib.Path("examples")
RUNBOOK = "http://emqx-client-monitor:9671/runbook"
BASE = ["Deployment", "Service"]
POLICIES = ["NetworkPolicy", "PodDisruptionBudget"]
MONITORED = ["PrometheusRule", "ScrapeConfig", "ScrapeConfig", "ServiceMonitor"]
JOBS = {"emqx-clients", "emqx-fleets"}
KINDS = {  # of each rendering
    "helm-bare": BASE + ["Pod"],
    "helm-existing": BASE + POLICIES + ["ConfigMap", "Pod", "Probe", "Probe", "PrometheusRule", "ServiceMonitor"],
    "helm-fleet": BASE + POLICIES + ["ConfigMap", "Pod", "ScrapeConfig", "ScrapeConfig", "ServiceMonitor"],
    "helm-minimal": BASE + POLICIES + ["ConfigMap", "Pod", "Secret"],
    "helm-operator": BASE + POLICIES + MONITORED + ["ConfigMap", "ConfigMap", "Pod"],
    "helm-readme": BASE + POLICIES + MONITORED + ["ConfigMap", "ConfigMap", "Pod"],
    "kustomize": BASE + POLICIES + MONITORED + ["ConfigMap", "Namespace", "Secret"],
}


def validate_by_kubernetes(files):
    for version in VERSIONS:
        subprocess.run(["kubernetes-validate", "--quiet", "--strict", "-k", version, *files], check=True)


def validate_by_operator(resources, directory):
    kinds = sorted({(one["apiVersion"], one["kind"]) for one in resources})
    lines = [f'import {{ {kind}, type I{kind} }} from "@kubernetes-models/prometheus-operator/{version}";'
             for version, kind in kinds]
    for number, one in enumerate(resources):
        kind = one["kind"]
        lines += [f"const r{number}: I{kind} = {json.dumps(one)};", f"new {kind}(r{number}).validate();"]
    (directory / "check.mts").write_text("\n".join(lines))
    compiler = ["node_modules/.bin/tsc", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext"]
    subprocess.run([*compiler, "check.mts"], cwd=directory, check=True)
    subprocess.run(["node", "check.mjs"], cwd=directory, check=True)


def snake(name):
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def of_kind(resources, kind):
    return [one for one in resources if one["kind"] == kind]


def only(resources, kind):
    (one,) = of_kind(resources, kind)
    return one


def pods(resources):
    """The labels and the specification of each pod."""
    for one in of_kind(resources, "Deployment"):
        yield one["spec"]["template"]["metadata"]["labels"], one["spec"]["template"]["spec"]
    for one in of_kind(resources, "Pod"):
        yield one["metadata"]["labels"], one["spec"]


def selects(selector, labels):
    return selector.items() <= labels.items()


def check_pod(spec):
    """Holds a pod to the Pod Security Standard "restricted", and to a bit more."""
    assert spec["enableServiceLinks"] is False and spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
    assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for volume in spec.get("volumes", []):
        (kind,) = volume.keys() - {"name"}
        assert kind in {"configMap", "secret", "projected"}, volume
    names = {volume["name"] for volume in spec.get("volumes", [])}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        mounts = container.get("volumeMounts", [])
        assert {mount["name"] for mount in mounts} <= names and all(mount["readOnly"] for mount in mounts)


def check_selectors(resources):
    deployment = only(resources, "Deployment")
    exporter, spec = next(pods(resources))
    assert selects(deployment["spec"]["selector"]["matchLabels"], exporter)
    (container,) = spec["containers"]
    assert [port["name"] for port in container["ports"]] == ["http"]

    service = only(resources, "Service")
    (port,) = service["spec"]["ports"]
    assert port["targetPort"] == "http" and port["name"] == "http"
    assert selects(service["spec"]["selector"], exporter)
    for one in of_kind(resources, "PodDisruptionBudget"):
        assert selects(one["spec"]["selector"]["matchLabels"], exporter)
    for one in of_kind(resources, "NetworkPolicy"):
        assert all(selects(one["spec"]["podSelector"]["matchLabels"], labels) for labels, _ in pods(resources))
    for labels, _ in list(pods(resources))[1:]:
        assert not selects(service["spec"]["selector"], labels), "the pod of `helm test` would be scraped"


def check_monitoring(resources, address):
    """Job names, addresses, rules and dashboard are what the rest of the repository expects."""
    _, spec = next(pods(resources))
    prefix = spec["containers"][0]["livenessProbe"]["httpGet"]["path"].removesuffix("/-/healthy")
    for one in of_kind(resources, "ServiceMonitor"):
        service = only(resources, "Service")
        assert selects(one["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])
        assert service["metadata"]["labels"][one["spec"]["jobLabel"]] == "emqx-client-monitor"
        assert [endpoint["path"] for endpoint in one["spec"]["endpoints"]] == [f"{prefix}/metrics"]
    jobs = [one["spec"]["jobName"] for kind in ["ScrapeConfig", "Probe"] for one in of_kind(resources, kind)]
    assert not jobs or sorted(jobs) == sorted(JOBS), jobs
    for one in of_kind(resources, "ScrapeConfig"):
        (sd,) = one["spec"]["httpSDConfigs"]
        url, _, query = sd["url"].partition("?")
        assert url == f"http://{address}{prefix}/sd"
        assert (query == "fleets=true") == (one["spec"]["jobName"] == "emqx-fleets"), query
        if query == "fleets=true":
            assert "metricRelabelings" not in one["spec"]
            continue
        shipped = yaml.safe_load((EXAMPLES / "haproxy/prometheus-shards.yml").read_text())["scrape_configs"][0]
        sharded = query == shipped["http_sd_configs"][0]["url"].partition("?")[2]
        relabelings = [{snake(key): value for key, value in rule.items()}
                       for rule in one["spec"].get("metricRelabelings", [])]
        assert relabelings == (shipped["metric_relabel_configs"] if sharded else []) and sharded == bool(query), query
    for one in of_kind(resources, "Probe"):
        added = one["spec"]["targets"]["staticConfig"].get("relabelingConfigs", [])
        fleets = [{"targetLabel": "__param_fleets", "replacement": "true"}]
        assert added == (fleets if one["spec"]["jobName"] == "emqx-fleets" else [])
        assert one["spec"]["prober"]["url"] == address and one["spec"]["prober"]["path"] == f"{prefix}/probe"
    for one in of_kind(resources, "PrometheusRule"):
        groups = one["spec"]["groups"]
        urls = {rule["annotations"]["runbook_url"].partition("#")[0]
                for group in groups for rule in group["rules"] if "alert" in rule}
        (url,) = urls
        files = sorted(EXAMPLES.glob("prometheus/rules/*.rules.yml"))
        texts = [file.read_text().replace(RUNBOOK, url) for file in files]
        assert groups == [group for text in texts for group in yaml.safe_load(text)["groups"]]
    dashboards = [one for one in of_kind(resources, "ConfigMap") if "grafana_dashboard" in one["metadata"]["labels"]]
    for one in dashboards:
        shipped = (EXAMPLES / "grafana/emqx-client-monitor.json").read_text()
        content = one["data"]["emqx-client-monitor.json"]
        (exporter,) = [variable["query"] for variable in json.loads(content)["templating"]["list"]
                       if variable["name"] == "exporter"]
        assert json.loads(content) == json.loads(shipped.replace(RUNBOOK.removesuffix("/runbook"), exporter))
        options = [f"--web.external-url={exporter}{end}" for end in ["", "/"]]
        assert exporter == f"http://{address}{prefix}" or set(options) & set(spec["containers"][0]["args"]), exporter


def main(rendered, operator):
    renderings = {path.stem: [one for one in yaml.safe_load_all(path.read_text()) if one]
                  for path in sorted(rendered.glob("*.yaml"))}
    assert renderings.keys() == KINDS.keys(), renderings.keys()
    own, operators = rendered / "own", []
    own.mkdir()
    for name, resources in renderings.items():
        try:
            kinds = sorted(one["kind"] for one in resources)
            assert kinds == sorted(KINDS[name]), kinds
            for _, spec in pods(resources):
                check_pod(spec)
            check_selectors(resources)
            service = only(resources, "Service")
            (port,) = service["spec"]["ports"]
            meta = service["metadata"]
            check_monitoring(resources, f'{meta["name"]}.{meta["namespace"]}.svc:{port["port"]}')
        except AssertionError as error:
            error.add_note(f"in {name}")
            raise
        operators += [one for one in resources if one["apiVersion"].startswith(OPERATOR)]
        (own / f"{name}.yaml").write_text(
            yaml.safe_dump_all([one for one in resources if not one["apiVersion"].startswith(OPERATOR)]))
    validate_by_kubernetes(sorted(own.glob("*.yaml")))
    validate_by_operator(operators, operator)


main(*map(pathlib.Path, sys.argv[1:]))
