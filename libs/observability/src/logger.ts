import { type Logger, type LoggerOptions, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { LineWriter } from './line-writer.js';
import { traceIdOf } from './trace-context.js';

export type { Logger } from 'pino';

export interface LogOptions {
  readonly level: string;
  readonly format: 'json' | 'pretty';
}

/** Paths that never reach a log, wherever a request's headers or a configuration are logged. */
export const REDACTED: readonly string[] = [
  'req.headers.authorization',
  'req.headers.cookie',
  '*.apiKey',
  '*.hubToken',
  '*.password',
];

/** Nest's own talk while it starts: of use when something does not start, and noise otherwise. */
const START_UP_CONTEXTS = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'NestMicroservice',
  'RouterExplorer',
  'RoutesResolver',
]);
const INFO = 30;

/**
 * The process's logger: one JSON object per line on standard output, with the app's name, ISO time and level as a word.
 * @param app  name of the process: `gateway`, `scheduler`, `worker-0`
 */
export function createLogger(app: string, log: LogOptions): Logger {
  const options: LoggerOptions = {
    level: log.level,
    base: { app, pid: process.pid },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (level) => ({ level }) },
    messageKey: 'message',
    errorKey: 'error',
    redact: [...REDACTED],
    hooks: {
      logMethod(args, method, level) {
        const context = (args[0] as { context?: string } | undefined)?.context;
        if (level !== INFO || !START_UP_CONTEXTS.has(context ?? '')) method.apply(this, args);
        else if (this.isLevelEnabled('debug')) this.debug(...(args as [object, string]));
      },
    },
  };
  const output = new LineWriter();
  if (log.format === 'json') return pino(options, output);
  const prettify = prettyFactory({
    colorize: process.stdout.isTTY,
    ignore: 'app,pid',
    messageKey: 'message',
    singleLine: true,
  });
  const pretty = { write: (line: string) => output.write(prettify(line)), flushSync: () => output.flushSync() };
  return pino(options, pretty);
}

/** What names a generation in a log line of any app. */
export interface GenerationRef {
  readonly requestId: string;
  readonly generationId: string;
  readonly tenantId?: string;
  readonly trace?: { readonly traceparent: string } | undefined;
}

/** The fields that correlate the lines of all apps about one generation. */
export function generationFields(generation: GenerationRef): Record<string, string> {
  const { requestId, generationId, tenantId, trace } = generation;
  const fields: Record<string, string> = { request_id: requestId, generation_id: generationId };
  if (tenantId) fields.tenant_id = tenantId;
  const traceId = traceIdOf(trace);
  if (traceId) fields.trace_id = traceId;
  return fields;
}
