const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`;

/** Tokens per second if a step took only the time to read its weights and KV from memory. */
function decodeBound(report, batch) {
  const { weightBytesPerStep, kvBytesPerToken, decodeContextTokens, bandwidthBytesPerSecond } = report;
  const stepBytes = weightBytesPerStep + batch * decodeContextTokens * kvBytesPerToken;
  return (batch * bandwidthBytesPerSecond) / stepBytes;
}

/** What was prepared, what was measured, or both. */
export function printReport(report) {
  const { date, machine, versions, shape, weights, loadAverage } = report;
  const lines = [
    `${date}  ${machine.cpu}, ${machine.cores} cores  Node ${versions.node}  load ${loadAverage[0].toFixed(1)}  ${shape}, ${weights}`,
    ...(report.compile === undefined ? [] : prepared(report)),
    ...(report.decode === undefined ? [] : measured(report)),
  ];
  console.log(lines.join('\n'));
}

function prepared({ compile: { seconds, cpuSeconds, peakBytes } }) {
  return [
    `compile   ${seconds.toFixed(0)} s, ${cpuSeconds.toFixed(0)} s of CPU, at most ${gigabytes(peakBytes)} resident`,
  ];
}

function measured(report) {
  const { machine, load, resident, decode, prefill, gateway } = report;
  return [
    `weights   ${gigabytes(report.weightsBytes)}`,
    `load      ${load.seconds.toFixed(1)} s; then ${gigabytes(load.afterBytes)} resident, ${gigabytes(load.ownBytes)} of them its own`,
    `serving   at most ${gigabytes(resident.peakBytes)} resident`,
    `memory    ${gigabytes(report.bandwidthBytesPerSecond)}/s read by ${machine.cores} threads`,
    ...Object.entries(decode).map(([batch, { tokensPerSecond }]) => {
      const bound = decodeBound(report, Number(batch));
      const share = Math.round((100 * tokensPerSecond) / bound);
      return `decode.${batch}  ${tokensPerSecond.toFixed(2)} tokens/s, ${share} % of the ${bound.toFixed(2)} that memory allows`;
    }),
    ...Object.entries(prefill).map(
      ([tokens, { tokensPerSecond }]) => `prefill.${tokens}  ${tokensPerSecond.toFixed(1)} tokens/s`,
    ),
    `gateway   ready in ${gateway.readySeconds.toFixed(1)} s; ${gateway.usage.completion_tokens} tokens in ${gateway.answerSeconds.toFixed(1)} s`,
  ];
}
