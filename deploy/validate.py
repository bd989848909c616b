#!/usr/bin/env python3
"""Holds the manifests of k8s/ and deploy/ against Kubernetes' schemas and against one another.

  validate.py BUILT.yaml...     BUILT: what `kustomize build` made (or the plain files)

Owns the checks no schema makes: names that refer to each other, rules that stand twice, panels
and their queries. Prints every mistake; exits with 1 if there is one. It asks no cluster and no
network. With --expressions FILE it writes the dashboards' queries as a rules file for promtool.
"""

import json
import re
import sys
from pathlib import Path

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parent.parent
# The oldest version meant to work, and a current one.
VERSIONS = ("1.30", "1.34")
# Kinds of operators: their schemas come with them, not with Kubernetes.
OPERATORS = {"Kafka", "KafkaNodePool", "KafkaUser", "PodMonitor", "PrometheusRule"}
# Made outside, as k8s/README.md says.
SECRETS = {"fantail", "fantail-kafka-user", "fantail-cluster-ca-cert"}

mistakes = []


def mistake(place, text):
    mistakes.append(f"{place}: {text}")


class Strict(yaml.SafeLoader):
    """Refuses a key that stands twice: the first one would silently not count."""


def mapping(loader, node):
    keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
    for key in {key for key in keys if keys.count(key) > 1}:
        raise yaml.YAMLError(f"{key} stands twice, line {node.start_mark.line + 1}")
    loader.flatten_mapping(node)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)


def load(path):
    try:
        return [doc for doc in yaml.load_all(Path(path).read_text(), Strict) if doc]
    except yaml.YAMLError as error:
        mistake(path, error)
        return []


def schemas(doc):
    name = f"{doc.get('kind')}/{doc.get('metadata', {}).get('name')}"
    if doc.get("kind") in OPERATORS:
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(doc, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            mistake(name, f"against {version}: {error.message}")
        except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.VersionNotSupportedError) as error:
            mistake(name, error)


def matches(selector, labels):
    wanted = selector.get("matchLabels", selector)
    return all(labels.get(key) == value for key, value in wanted.items())


def references(docs):
    """Everything that names something names something that is there."""
    of = lambda kind: [doc for doc in docs if doc["kind"] == kind]
    pods = {doc["metadata"]["name"]: doc["spec"]["template"] for doc in of("Deployment") + of("Job")}
    config_maps = {doc["metadata"]["name"] for doc in of("ConfigMap")}
    for name, pod in pods.items():
        spec, labels = pod["spec"], pod["metadata"]["labels"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for volume in volumes.values():
            if "configMap" in volume and volume["configMap"]["name"] not in config_maps:
                mistake(name, f"no ConfigMap {volume['configMap']['name']}")
            if "secret" in volume and volume["secret"]["secretName"] not in SECRETS:
                mistake(name, f"undocumented Secret {volume['secret']['secretName']}")
        if labels.get("app.kubernetes.io/part-of") != "fantail":
            mistake(name, "monitoring would not find its pods")
        for container in spec["containers"]:
            check_container(name, container, volumes)
        if not spec["securityContext"].get("runAsNonRoot"):
            mistake(name, "may run as root")
    for deployment in of("Deployment"):
        name, labels = deployment["metadata"]["name"], pods[deployment["metadata"]["name"]]["metadata"]["labels"]
        if not matches(deployment["spec"]["selector"], labels):
            mistake(name, "does not select its own pods")
        spec = pods[name]["spec"]
        for constraint in spec["topologySpreadConstraints"]:
            if not matches(constraint["labelSelector"], labels):
                mistake(name, "spreads somebody else's pods")
        zones = [c["topologyKey"] for c in spec["topologySpreadConstraints"]]
        if "topology.kubernetes.io/zone" not in zones:
            mistake(name, "is not spread over zones")
        budgets = [one for one in of("PodDisruptionBudget") if matches(one["spec"]["selector"], labels)]
        if len(budgets) != 1:
            mistake(name, f"{len(budgets)} disruption budgets")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe not in spec["containers"][0]:
                mistake(name, f"no {probe}")
    for service in of("Service"):
        chosen = [pod for pod in pods.values() if matches(service["spec"]["selector"], pod["metadata"]["labels"])]
        ports = {port["name"] for pod in chosen for c in pod["spec"]["containers"] for port in c["ports"]}
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in ports:
                mistake(service["metadata"]["name"], f"no pod has the port {port['targetPort']}")
    for scaler in of("HorizontalPodAutoscaler"):
        if scaler["spec"]["scaleTargetRef"]["name"] not in pods:
            mistake(scaler["metadata"]["name"], "scales nothing")
        named = {m["pods"]["metric"]["name"] for m in scaler["spec"]["metrics"] if m["type"] == "Pods"}
        adapter = load(ROOT / "k8s/monitoring/adapter-values.yaml")[0]["rules"]["custom"]
        told = {rule["name"]["as"] for rule in adapter}
        if named != told:
            mistake(scaler["metadata"]["name"], f"asks for {named}, the adapter tells {told}")
    selected = [one["spec"]["podSelector"] for one in of("NetworkPolicy")]
    for selector in filter(None, selected):
        if not any(matches(selector, pod["metadata"]["labels"]) for pod in pods.values()):
            mistake("NetworkPolicy", f"selects nobody: {selector}")
    if of("NetworkPolicy") and {} not in selected:
        mistake("NetworkPolicy", "nothing is refused by default")
    images = {c["image"] for pod in pods.values() for c in pod["spec"]["containers"]}
    if len(images) > 1:
        mistake("images", f"roles differ: {images}")


def check_container(name, container, volumes):
    context = container["securityContext"]
    if context.get("allowPrivilegeEscalation") is not False or not context.get("readOnlyRootFilesystem"):
        mistake(name, "its container may do too much")
    if "memory" not in container["resources"]["limits"]:
        mistake(name, "its memory has no limit")
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in volumes:
            mistake(name, f"mounts {mount['name']}, which is no volume")
    for variable in container["env"]:
        secret = variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name")
        if secret and secret not in SECRETS:
            mistake(name, f"undocumented Secret {secret}")
    ports = {port["name"] for port in container.get("ports", [])}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        port = container.get(probe, {}).get("httpGet", {}).get("port")
        if port and port not in ports:
            mistake(name, f"{probe} asks the port {port}, which is not there")


def rules(docs):
    plain = load(ROOT / "deploy/prometheus/rules.yml")[0]
    for rule in (doc for doc in docs if doc["kind"] == "PrometheusRule"):
        if rule["spec"] != plain:
            mistake("k8s/monitoring/rules.yaml", "is not what deploy/prometheus/rules.yml says")
    for group in plain["groups"]:
        for rule in group["rules"]:
            wanted = {"summary", "description"}
            if "alert" in rule and set(rule.get("annotations", {})) != wanted:
                mistake(rule["alert"], f"an alert has {wanted}")


def dashboards():
    """Panels with queries, each in its own place; the queries, ready for promtool."""
    expressions = []
    for path in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
        panels = [panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"]
        ids = [panel["id"] for panel in panels]
        if len(set(ids)) != len(ids):
            mistake(path.name, "two panels have one id")
        taken = set()
        for panel in panels:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            if taken & cells or max(x for x, _ in cells) > 23:
                mistake(path.name, f"{panel['title']} lies over another panel or outside")
            taken |= cells
            if not panel["targets"] or not panel["description"]:
                mistake(path.name, f"{panel['title']} shows nothing or does not say what")
            expressions += [target["expr"] for target in panel["targets"]]
    return expressions


def for_promtool(expressions):
    known = {"$__rate_interval": "1m", "$job": ".+", "$instance": ".+"}
    listed = []
    for number, text in enumerate(expressions):
        for name, value in known.items():
            text = text.replace(name, value)
        if left := re.search(r"\$\w+", text):
            mistake("dashboards", f"{left.group()} is not known here")
        listed.append({"record": f"panel:{number}", "expr": text})
    return yaml.safe_dump({"groups": [{"name": "panels", "rules": listed}]})


def main(arguments):
    if arguments[:1] == ["--expressions"]:
        Path(arguments[1]).write_text(for_promtool(dashboards()))
    else:
        docs = [doc for path in arguments for doc in load(path)]
        docs = [doc for doc in docs if doc["kind"] != "Kustomization"]
        kinds = {doc["kind"] for doc in docs}
        for kind in {"Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PrometheusRule", "Kafka"} - kinds:
            mistake("k8s/", f"no {kind} among what was given")
        for doc in docs:
            schemas(doc)
        references(docs)
        rules(docs)
        dashboards()
        if not mistakes:
            print(f"{len(docs)} objects hold, of kinds {', '.join(sorted(kinds))}")
    for text in mistakes:
        print(text, file=sys.stderr)
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
