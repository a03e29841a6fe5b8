{{/*
hydra.yaml of each app: the sections of `.Values.config` that it reads, and nothing else, so that a change restarts only the pods that
it is about. What the chart itself decides (addresses, ports, names) is laid on top.
*/}}

{{- define "hydraserve.config.gateway" -}}
{{- $config := omit .Values.config "scheduler" "workers" "storage" "engine" "mock" -}}
{{- $models := list -}}
{{- range .Values.models -}}{{- $models = append $models (pick . "id") -}}{{- end -}}
{{- $scheduler := merge (include "hydraserve.schedulerTargets" . | fromYaml) (pick (default dict .Values.config.scheduler) "queueTimeoutMs" "workerTimeoutMs") -}}
{{- $gateway := merge (dict "host" "0.0.0.0" "httpPort" 8080 "grpcPort" 9090) (default dict .Values.config.gateway) -}}
{{- toYaml (merge (dict "models" $models "scheduler" $scheduler "gateway" $gateway) $config) -}}
{{- end -}}

{{- define "hydraserve.config.scheduler" -}}
{{- $models := list -}}
{{- range .Values.models -}}{{- $models = append $models (pick . "id" "strategy") -}}{{- end -}}
{{- $targets := include "hydraserve.schedulerTargets" . | fromYaml -}}
{{- $scheduler := merge (dict "host" "0.0.0.0" "grpcPort" 9091 "httpPort" 8081) (pick $targets "targets") (default dict .Values.config.scheduler) -}}
{{- toYaml (merge (dict "models" $models "scheduler" $scheduler) (pick .Values.config "log")) -}}
{{- end -}}

{{/* Input: dict root, model, device. The keys that are the chart's own are left out. */}}
{{- define "hydraserve.config.inference" -}}
{{- $values := .root.Values -}}
{{- $model := omit .model "name" "replicas" "autoscaling" "device" "resources" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "cache" "startupSeconds" "podAnnotations" "priorityClassName" "runtimeClassName" "strategy" "workers" -}}
{{- $scheduler := merge (include "hydraserve.schedulerTargets" .root | fromYaml) (pick (default dict $values.config.scheduler) "reportIntervalMs") -}}
{{- $workers := merge (dict "host" "0.0.0.0" "grpcPort" 9092 "httpPort" 8082 "device" .device) (omit (default dict $values.config.workers) "count" "id" "model" "advertisedHost") -}}
{{- $storage := merge (dict "folder" "/var/lib/hydraserve") (default dict $values.config.storage) -}}
{{- toYaml (merge (dict "models" (list $model) "scheduler" $scheduler "workers" $workers "storage" $storage) (pick $values.config "engine" "mock" "log")) -}}
{{- end -}}

{{/* Milliseconds of drain (input) as whole seconds, rounded up. */}}
{{- define "hydraserve.seconds" -}}
{{- div (add (int64 .) 999) 1000 -}}
{{- end -}}
