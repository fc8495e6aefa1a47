#!/usr/bin/env bash
# How long `nova deploy` takes on a cluster, against `kubectl apply -k` of the rendered files with a wait for the rollouts, in one
# run and onto the same kept volumes, with all images loaded.
#
#     cluster-deploy.sh NOVA [ROUNDS]
#
# Runs where nova.toml lies, on the cluster of KUBECONFIG, and leaves the namespaces with the Secrets and the volumes. kubectl is
# given the former two before its clock starts; nova makes them itself.
set -euo pipefail
nova=$1
rounds=${2:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$nova" deploy --target kubernetes --yes >/dev/null 2>"$work/log" || { cat "$work/log"; exit 1; }
profile=$(sed -n 's/.*, profile //p' "$work/log" | head -n 1)
"$nova" render --built --profile "$profile" --out "$work/rendered" >/dev/null
platform=$(kubectl get namespace -l app.kubernetes.io/part-of=nova -o name | sed 's,namespace/,,')
for namespace in $platform; do
  kubectl get namespace "$namespace" -o json >>"$work/namespaces.json"
  kubectl get secret -n "$namespace" -o json >>"$work/secrets.json"
done
bare='del(.metadata.uid, .metadata.resourceVersion, .metadata.creationTimestamp, .metadata.managedFields, .status, .spec)'
jq -c "$bare" "$work/namespaces.json" >"$work/namespaces"
jq -c ".items[] | $bare" "$work/secrets.json" >"$work/secrets"

timed() {
  local begin end
  begin=$(date +%s%N)
  "$@" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  end=$(date +%s%N)
  echo $(((end - begin) / 1000000))
}
empty() { "$nova" cleanup --target kubernetes --yes >/dev/null 2>&1; }
applied() {
  kubectl apply -k "$work/rendered"
  for namespace in $platform; do
    for workload in $(kubectl get statefulset,deployment -n "$namespace" -o name); do
      kubectl rollout status -n "$namespace" "$workload" --timeout=300s || return
    done
  done
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for ((round = 1; round <= rounds; round++)); do
  empty
  ours=$(timed "$nova" deploy --target kubernetes --yes)
  empty
  kubectl apply -f "$work/namespaces" >/dev/null 2>&1
  kubectl apply -f "$work/secrets" >/dev/null 2>&1
  theirs=$(timed applied)
  echo "$ours" >>"$work/ours"
  echo "$theirs" >>"$work/theirs"
  echo "round $round: nova deploy $ours ms, kubectl apply -k $theirs ms"
  # All that kubectl made but the namespaces and the Secrets, which belong to the volumes.
  for file in "$work"/rendered/*.yaml; do
    case ${file##*/} in kustomization.yaml | namespaces.yaml | microservices-secrets.yaml) continue ;; esac
    kubectl delete -f "$file" --wait --ignore-not-found >/dev/null
  done
done
ours=$(median <"$work/ours")
theirs=$(median <"$work/theirs")
echo "medians of $rounds: nova deploy $ours ms, kubectl apply -k $theirs ms, ratio $(awk "BEGIN { printf \"%.2f\", $ours / $theirs }")"
