"""Checks examples/compose with Compose itself and with the programs that read its files: compose.py PROGRAM PROMTOOL"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml
from exporters import serves

FOLDER = pathlib.Path("examples/compose").resolve()
INLINE = re.compile(r"```yaml\n(services:\n.*?)```", re.DOTALL)


def composed(*files):
    """What Compose makes of these files. It warns of variables that are not set and of keys that it does not know."""
    options = [option for file in files for option in ("--file", file)]
    command = ["docker-compose", *options, "config", "--format", "json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0 and not run.stderr, run.stderr
    return json.loads(run.stdout.replace("$$", "$"))  # it prints a file for Compose, in which `$` is escaped


def check_variables():
    """A key that is not set is refused, instead of leaving EMQX with an empty one."""
    for name in ["EMQX_API_KEY", "EMQX_API_SECRET"]:
        run = subprocess.run(["docker-compose", "--file", FOLDER / "compose.yaml", "config", "--quiet"],
                             env=os.environ | {name: ""}, capture_output=True, text=True, check=False)
        assert run.returncode != 0 and "set it in .env" in run.stderr, run.stderr


def check_files(services):
    """Every mounted file exists, is mounted read-only, and every image has a version."""
    for name, service in services.items():
        if "build" in service:
            assert (pathlib.Path(service["build"]["context"]) / service["build"]["dockerfile"]).is_file()
        else:
            assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), f"{name}: {service['image']}"
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                assert pathlib.Path(volume["source"]).exists(), f"{name}: {volume['source']} does not exist"
                assert volume["read_only"], f"{name}: {volume['source']}"
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", f"{name}: {port}"
    source = pathlib.Path(services["devices"]["volumes"][0]["source"])
    subprocess.run(["sh", "-n", source], check=True)


def mounted(service, directory):
    """Copies what is mounted below a directory of the container, and returns where to."""
    root = pathlib.Path(tempfile.mkdtemp(dir=directory))
    for volume in service["volumes"]:
        source, target = pathlib.Path(volume["source"]), root / volume["target"].lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.is_file():
            shutil.copy(source, target)
    return root


def flag(service, name):
    (value,) = [one.partition("=")[2] for one in service["command"] if one.startswith(f"{name}=")]
    return value.lstrip("/")


def check_exporter(service, program, root):
    """Starts the exporter with its arguments and variables, and returns its configuration."""
    command = [program, f"--cfg={root}/etc/emqx-client-monitor/config.yaml", "--web.listen-address=127.0.0.1:0"]
    command += service["command"]
    process = subprocess.Popen(command, env=service["environment"], stderr=subprocess.PIPE, text=True)
    try:
        _, targets, config = serves(process)
    finally:
        process.terminate()
        log = process.communicate()[1]
    assert "level=warn" not in log, log
    assert [target["labels"]["instance"] for target in targets] == ["LocalEMQX"]
    return config


def check_devices(script, config):
    """Every watched client but the lamp is a simulated device, and the fleet is the lights."""
    simulated = set(re.findall(r"-i (\S+)", script.read_text())) - {"controller"}
    (fleet,) = config["monitored_fleets"]
    lights = {one for one in simulated if one.strip('"').startswith(fleet["client_id"].removesuffix("*"))}
    assert len(lights) == 1
    assert simulated - lights == {client["client_id"] for client in config["monitored_clients"]} - {"lamp"}


def check_inline(readme, config, directory):
    """Compose turns the broker in the README into that of the folder."""
    (text,) = INLINE.findall(readme.read_text())
    file = directory / "inline.yaml"
    file.write_text(text)
    content = composed(FOLDER / "compose.yaml", file)["configs"]["exporter"]["content"]
    assert yaml.safe_load(content)["emqx"] == yaml.safe_load(config.read_text())["emqx"], content


def main(program, promtool):
    project = composed(FOLDER / "compose.yaml")
    services = project["services"]
    check_variables()
    check_files(services)
    key = services["emqx-client-monitor"]["environment"]
    assert project["configs"]["api-keys"]["content"] == f'{key["EMQX_API_KEY"]}:{key["EMQX_API_SECRET"]}:viewer\n'
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        roots = {name: mounted(service, directory) for name, service in services.items()}
        config = check_exporter(services["emqx-client-monitor"], program, roots["emqx-client-monitor"])
        check_devices(FOLDER / "devices.sh", config)
        check_inline(FOLDER / "README.md", FOLDER / "exporter/config.yaml", directory)
        prometheus = roots["prometheus"] / flag(services["prometheus"], "--config.file")
        subprocess.run([promtool, "check", "config", prometheus], check=True)
        alertmanager = roots["alertmanager"] / flag(services["alertmanager"], "--config.file")
        subprocess.run(["amtool", "check-config", alertmanager], check=True)
        dashboards = roots["grafana"] / "var/lib/grafana/dashboards"
        assert services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == \
            f"/var/lib/grafana/dashboards/{next(dashboards.iterdir()).name}"


main(*sys.argv[1:])
