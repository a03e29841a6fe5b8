// Cuts the samples of this folder out of the public traces, see README.md:
//   node make-samples.mjs conversation_trace.jsonl AzureLLMInferenceTrace_conv.csv
// Reads the files as published or in gzip; writes conversation.jsonl.gz and azure-conv.csv.gz here.
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';

const CONVERSATION_REQUESTS = 400;
const AZURE_REQUESTS = 400;

const [conversationPath, azurePath] = process.argv.slice(2);
const linesOf = (path) => {
  const bytes = readFileSync(path);
  return (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString('utf8').trimEnd().split(/\r?\n/);
};
const write = (name, lines) => writeFileSync(new URL(name, import.meta.url), gzipSync(`${lines.join('\n')}\n`, { level: 9 }));

write('conversation.jsonl.gz', linesOf(conversationPath).slice(0, CONVERSATION_REQUESTS));

const [head, ...rows] = linesOf(azurePath).slice(0, AZURE_REQUESTS + 1);
// Published: TIMESTAMP,ContextTokens,GeneratedTokens with dates; ours: milliseconds since the first request.
const isPublished = head.startsWith('TIMESTAMP');
const firstMs = isPublished ? Date.parse(`${rows[0].split(',')[0]}Z`) : 0;
const times = rows.map((row) => {
  const [time, ...rest] = row.split(',');
  return [isPublished ? Date.parse(`${time}Z`) - firstMs : Math.round(Number(time)), ...rest].join(',');
});
write('azure-conv.csv.gz', ['timestamp_ms,input_length,output_length', ...times]);
