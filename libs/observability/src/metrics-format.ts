const OPEN_METRICS = 'application/openmetrics-text';
/** Of OpenMetrics; 0.0.1 is what scrapers called it before it was a specification. */
const OPEN_VERSIONS: ReadonlySet<string> = new Set(['1.0.0', '0.0.1']);

/**
 * Whether whoever scrapes would rather have OpenMetrics than Prometheus' text: it is named, and not weighted below the text.
 * @param accept  of the request, as in RFC 9110, section 12.5.1
 */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  let [open, text] = [0, 0];
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const weight = weightOf(parameters);
    if (type === OPEN_METRICS && OPEN_VERSIONS.has(parameterOf(parameters, 'version') ?? '1.0.0')) {
      open = Math.max(open, weight);
    } else if (type === 'text/plain') {
      text = Math.max(text, weight);
    }
  }
  return open > 0 && open >= text;
}

function weightOf(parameters: readonly string[]): number {
  const weight = Number(parameterOf(parameters, 'q') ?? 1);
  return weight >= 0 && weight <= 1 ? weight : 0;
}

function parameterOf(parameters: readonly string[], name: string): string | undefined {
  const parameter = parameters.find((text) => text.startsWith(`${name}=`));
  return parameter?.slice(name.length + 1).replaceAll('"', '');
}
