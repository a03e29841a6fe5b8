{{/*
hydra.yaml of each app: the sections of `.Values.config` that it reads, and nothing else, so that a change restarts only the pods that
it is about. What the chart itself decides (addresses, ports, names) is laid on top.
*/}}

{{- define "hydraserve.config.gateway" -}}
{{- $config := omit .Values.config "scheduler" "workers" "kvcache" "storage" "engine" "mock" -}}
{{- $models := list -}}
{{- range .Values.models -}}{{- $models = append $models (pick . "id" "sloTtftMs" "price" "adapters") -}}{{- end -}}
{{- $scheduler := merge (include "hydraserve.schedulerTargets" . | fromYaml) (pick (default dict .Values.config.scheduler) "queueTimeoutMs" "workerTimeoutMs") -}}
{{- $gateway := merge (dict "host" "0.0.0.0" "httpPort" 8080 "grpcPort" 9090) (default dict .Values.config.gateway) -}}
{{- if .Values.gateway.tls.existingSecret -}}
{{- $_ := set $gateway "tls" (dict "certificateFile" "/etc/hydraserve-public-tls/tls.crt" "keyFile" "/etc/hydraserve-public-tls/tls.key") -}}
{{- end -}}
{{- $caches := ternary (dict "kvcache" (include "hydraserve.kvcacheTargets" . | fromYaml)) dict (gt (int .Values.kvcache.replicas) 0) -}}
{{- toYaml (merge (dict "models" $models "scheduler" $scheduler "gateway" $gateway) $caches (include "hydraserve.config.tls" . | fromYaml) $config) -}}
{{- end -}}

{{- define "hydraserve.config.scheduler" -}}
{{- $models := list -}}
{{- range .Values.models -}}{{- $models = append $models (pick . "id" "strategy") -}}{{- end -}}
{{- $targets := include "hydraserve.schedulerTargets" . | fromYaml -}}
{{- $scheduler := merge (dict "host" "0.0.0.0" "grpcPort" 9091 "httpPort" 8081) (pick $targets "targets") (default dict .Values.config.scheduler) -}}
{{- toYaml (merge (dict "models" $models "scheduler" $scheduler) (include "hydraserve.config.tls" . | fromYaml) (pick .Values.config "log" "tracing" "certificates")) -}}
{{- end -}}

{{- define "hydraserve.config.kvcache" -}}
{{- $kvcache := merge (dict "host" "0.0.0.0" "grpcPort" 9093 "httpPort" 8083) (omit (default dict .Values.config.kvcache) "push" "fetch") -}}
{{- $scheduler := merge (include "hydraserve.schedulerTargets" . | fromYaml) (pick (default dict .Values.config.scheduler) "reportIntervalMs") -}}
{{- toYaml (merge (dict "kvcache" $kvcache "scheduler" $scheduler) (include "hydraserve.config.tls" . | fromYaml) (pick .Values.config "log" "tracing" "certificates")) -}}
{{- end -}}

{{/* Input: dict root, model, device. The keys that are the chart's own are left out. */}}
{{- define "hydraserve.config.inference" -}}
{{- $values := .root.Values -}}
{{- $model := omit .model "name" "replicas" "autoscaling" "device" "resources" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "cache" "adapterVolume" "startupSeconds" "podAnnotations" "priorityClassName" "runtimeClassName" "strategy" "workers" "sloTtftMs" "price" -}}
{{- $scheduler := merge (include "hydraserve.schedulerTargets" .root | fromYaml) (pick (default dict $values.config.scheduler) "reportIntervalMs") -}}
{{- $workers := merge (dict "host" "0.0.0.0" "grpcPort" 9092 "httpPort" 8082 "device" .device) (omit (default dict $values.config.workers) "count" "id" "model" "advertisedHost") -}}
{{- $storage := merge (dict "folder" "/var/lib/hydraserve") (default dict $values.config.storage) -}}
{{- $kvcache := merge (include "hydraserve.kvcacheTargets" .root | fromYaml) (pick (default dict $values.config.kvcache) "push" "fetch") -}}
{{- $caches := ternary (dict "kvcache" $kvcache) dict (gt (int $values.kvcache.replicas) 0) -}}
{{- toYaml (merge (dict "models" (list $model) "scheduler" $scheduler "workers" $workers "storage" $storage) $caches (include "hydraserve.config.tls" .root | fromYaml) (pick $values.config "engine" "mock" "log" "tracing" "certificates")) -}}
{{- end -}}

{{/* Certificates of the pods among each other, where they are mounted. New ones count without a restart. */}}
{{- define "hydraserve.config.tls" -}}
{{- if .Values.tls.enabled -}}
tls: "on"
certificates:
  trustDomain: {{ .Values.tls.trustDomain }}
  caFile: /etc/hydraserve-tls/ca.crt
  certificateFile: /etc/hydraserve-tls/tls.crt
  keyFile: /etc/hydraserve-tls/tls.key
{{- end -}}
{{- end -}}

{{/*
Checksum of what an app reads at its start only, so that pods restart for that alone; what counts while they run (live-settings.json, of
the schema) reaches them through the mounted ConfigMap, within a minute. Input: dict root, config (text).
*/}}
{{- define "hydraserve.restartChecksum" -}}
{{- $config := fromYaml .config -}}
{{- range $path := .root.Files.Get "live-settings.json" | fromJsonArray -}}
{{- $keys := splitList "." $path -}}
{{- $first := index $keys 0 -}}
{{- if eq (len $keys) 1 -}}{{- $_ := unset $config $first -}}
{{- else if hasSuffix "[]" $first -}}{{- range default list (get $config (trimSuffix "[]" $first)) -}}{{- $_ := unset . (index $keys 1 | trimSuffix "[]") -}}{{- end -}}
{{- else if hasKey $config $first -}}{{- $_ := unset (get $config $first) (index $keys 1) -}}
{{- end -}}
{{- end -}}
{{- range $section := keys $config -}}
{{- if and (kindIs "map" (get $config $section)) (empty (get $config $section)) -}}{{- $_ := unset $config $section -}}{{- end -}}
{{- end -}}
{{- toYaml $config | sha256sum -}}
{{- end -}}

{{/* Milliseconds of drain (input) as whole seconds, rounded up. */}}
{{- define "hydraserve.seconds" -}}
{{- div (add (int64 .) 999) 1000 -}}
{{- end -}}
