{{/* Secrets with certificates, and how pods get them. */}}

{{/* Name of a component's Secret: the one that is given, or the one that cert-manager fills. Input: dict root, component. */}}
{{- define "hydraserve.tlsSecret" -}}
{{- default (printf "%s-%s-tls" (include "hydraserve.fullname" .root) .component) (get .root.Values.tls.existingSecrets .component) -}}
{{- end -}}

{{/* Input: dict root, component. */}}
{{- define "hydraserve.tlsMounts" -}}
{{- if .root.Values.tls.enabled }}
- { name: tls, mountPath: /etc/hydraserve-tls, readOnly: true }
{{- end }}
{{- if and (eq .component "gateway") .root.Values.gateway.tls.existingSecret }}
- { name: public-tls, mountPath: /etc/hydraserve-public-tls, readOnly: true }
{{- end }}
{{- end -}}

{{/* Input: dict root, component. */}}
{{- define "hydraserve.tlsVolumes" -}}
{{- if .root.Values.tls.enabled }}
- name: tls
  secret: { secretName: {{ include "hydraserve.tlsSecret" . }}, defaultMode: 0440 }
{{- end }}
{{- if and (eq .component "gateway") .root.Values.gateway.tls.existingSecret }}
- name: public-tls
  secret: { secretName: {{ .root.Values.gateway.tls.existingSecret }}, defaultMode: 0440 }
{{- end }}
{{- end -}}
