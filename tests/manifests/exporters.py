"""Starts the program as rendered manifests do: exporters.py RENDERED_DIRECTORY PROGRAM

The volumes of a pod become directories. The program reads them with the arguments and variables of its container,
except that it listens on a free loopback port, and that no broker listens where the configuration says.
"""

import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.request

import yaml

CLIENTS = {"helm-existing": 2, "helm-fleet": 3, "helm-operator": 1, "helm-readme": 1, "kustomize": 1}  # watched clients; else 0
BROKERS_FAILED = 2  # exit status of `check`: the configuration is valid, and a broker was asked in vain


def certificate(directory):
    files = directory / "tls.crt", directory / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                    "-out", files[0], "-keyout", files[1]], check=True, stderr=subprocess.DEVNULL)
    return [file.read_text() for file in files]


class Cluster:
    """The ConfigMaps and Secrets that pods can mount."""

    def __init__(self, resources):
        self.data = {(one["kind"], one["metadata"]["name"]): one.get("stringData") or one["data"]
                     for one in resources if one["kind"] in {"ConfigMap", "Secret"}}

    def volume(self, volume, directory):
        """Writes the files of a volume."""
        for source in volume.get("projected", {"sources": [volume]})["sources"]:
            if "secret" in source:
                key, items = ("Secret", source["secret"]["secretName"]), source["secret"].get("items")
            else:
                key, items = ("ConfigMap", source["configMap"]["name"]), source["configMap"].get("items")
            if source.get("configMap", {}).get("optional") and key not in self.data:
                continue
            data = self.data[key]
            for item in items or [{"key": name, "path": name} for name in data]:
                path = directory / item["path"]
                assert not path.exists(), f"{path.name} comes twice"
                path.write_text(data[item["key"]])

    def environment(self, container):
        variables = {}
        for one in container.get("env", []):
            reference = one["valueFrom"]["secretKeyRef"]
            variables[one["name"]] = self.data["Secret", reference["name"]][reference["key"]]
        return variables


class Pod:
    def __init__(self, cluster, spec, program, root):
        self.program, self.cluster, self.directories = program, cluster, {}
        mounts = {mount["name"]: mount["mountPath"]
                  for container in spec["containers"] for mount in container.get("volumeMounts", [])}
        for volume in spec.get("volumes", []):
            directory = root / volume["name"]
            directory.mkdir()
            self.directories[mounts[volume["name"]]] = str(directory)
            cluster.volume(volume, directory)
        for path in (root / "config").iterdir():
            text = re.sub(r"https?://[^/]+/", "http://127.0.0.1:1/", self.here(path.read_text()))
            path.write_text(text)

    def here(self, text):
        for mounted, directory in self.directories.items():
            text = re.sub(rf"{re.escape(mounted)}(?=/)", directory, text)
        return text

    def command(self, container):
        arguments = [self.here(one) for one in container["args"]]
        environment = {"PATH": os.environ["PATH"], **self.cluster.environment(container)}
        return {"args": [self.program, *arguments], "env": environment, "stderr": subprocess.PIPE, "text": True}


def serves(process, scheme="http", healthy="/-/healthy", ready="/-/ready"):
    """Waits for the address in the log, and returns it with the targets and the configuration of the exporter. The
    paths say what stands before each route."""
    log = []
    for line in process.stderr:
        log.append(line)
        if found := re.search(r'listening"?[ ,].*?(127\.0\.0\.1:\d+)', line):
            break
    else:
        raise AssertionError(f"the exporter ended with status {process.wait()}:\n{''.join(log)}")
    context = ssl._create_unverified_context() if scheme == "https" else None
    base, prefix = f"{scheme}://{found[1]}", healthy.removesuffix("/-/healthy")

    def get(path):
        with urllib.request.urlopen(base + path, context=context, timeout=10) as response:
            return response.read().decode()

    assert get(healthy) and get(ready)
    return found[1], json.loads(get(f"{prefix}/sd")), yaml.safe_load(get(f"{prefix}/config"))


def start(name, resources, existing, program, root):
    cluster = Cluster(existing + resources)
    (deployment,) = [one for one in resources if one["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    pod = Pod(cluster, spec, program, root)
    tests = [test for one in resources if one["kind"] == "Pod" for test in one["spec"]["containers"]]
    (service,) = [one["spec"]["ports"][0]["port"] for one in resources if one["kind"] == "Service"]
    healthy, ready = (container[probe]["httpGet"] for probe in ["livenessProbe", "readinessProbe"])
    paths = healthy.get("scheme", "HTTP").lower(), healthy["path"], ready["path"]

    command = pod.command(container)
    command["args"] = [one for one in command["args"] if not one.startswith("--web.listen-address=")]
    command["args"].append("--web.listen-address=127.0.0.1:0")
    process = subprocess.Popen(**command)
    try:
        address, targets, config = serves(process, *paths)
        port = address.rpartition(":")[2]
        for test in (test for test in tests if test["name"] == "service"):
            option, _, address = test["args"][0].partition("=")
            assert address.endswith(f":{service}"), address
            subprocess.run([program, f"{option}=localhost:{port}", *test["args"][1:]], check=True)
    finally:
        process.terminate()
        process.communicate()
    brokers = sorted(target["labels"]["instance"] for target in targets)
    paths = {target["labels"]["__metrics_path__"] for target in targets}
    for probe in [one for one in resources if one["kind"] == "Probe"]:
        assert brokers == sorted(probe["spec"]["targets"]["staticConfig"]["static"])
        assert paths == {probe["spec"]["prober"]["path"]}
    clients = len(config["monitored_clients"])
    assert clients == CLIENTS.get(name, 0), f"{clients} clients"

    for test in (test for test in tests if test["name"] == "brokers"):
        run = subprocess.run(**pod.command(test), stdout=subprocess.DEVNULL, check=False)
        assert run.returncode == BROKERS_FAILED, run.stderr
    return f"{name}: {clients} clients of {', '.join(brokers)}"


def main(rendered, program):
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        texts = dict(zip(["CERTIFICATE", "KEY"], certificate(directory)))
        existing = list(yaml.safe_load_all(pathlib.Path(__file__).with_name("existing.yaml").read_text()))
        for one in existing:
            data = one.get("stringData") or one["data"]
            data.update({key: texts.get(value, value) for key, value in data.items()})
        for path in sorted(rendered.glob("*.yaml")):
            resources = [one for one in yaml.safe_load_all(path.read_text()) if one]
            root = directory / path.stem
            root.mkdir()
            try:
                print(start(path.stem, resources, existing, program, root))
            except (AssertionError, KeyError) as error:
                error.add_note(f"in {path.stem}")
                raise


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
