import type { ModelConfig } from '#lib/config';
import type { PlatformAddresses } from '../platform/platform.js';

/** What `hydra up` says while it runs. */
export abstract class PlatformOutput {
  /** A line of an app, as it wrote it, or about it. */
  abstract line(app: string, line: string): void;
  /** All is there. */
  abstract ready(addresses: PlatformAddresses, models: readonly ModelConfig[]): void;
  /** What `hydra up` itself did. */
  abstract note(text: string): void;
  abstract stopping(): void;
  /** Why it cannot go on. */
  abstract failed(reason: string): void;
}

export type Write = (text: string) => void;

const STOPPING = 'stopping; running streams may finish (Ctrl-C again stops at once)';

/** For people: each line behind its app's name. */
export class PrettyOutput extends PlatformOutput {
  constructor(
    private readonly write: Write,
    private readonly writeError: Write,
  ) {
    super();
  }

  override line(app: string, line: string): void {
    this.write(`${app.padEnd(9)} │ ${line}\n`);
  }

  override ready(addresses: PlatformAddresses, models: readonly ModelConfig[]): void {
    this.write(banner(addresses, models));
  }

  override note(text: string): void {
    this.line('hydra', text);
  }

  override stopping(): void {
    this.write(`\nhydra: ${STOPPING}\n`);
  }

  override failed(reason: string): void {
    this.writeError(`hydra: ${reason}; see its lines above\n`);
  }
}

/** For programs: every line is one JSON object in the form of the apps' own, which have their app's name in them. */
export class JsonOutput extends PlatformOutput {
  constructor(private readonly write: Write) {
    super();
  }

  override line(app: string, line: string): void {
    if (isJsonObject(line)) this.write(`${line}\n`);
    else this.say('warn', app, line); // of Node or a library, or about the app: nothing that an app logs
  }

  override ready(addresses: PlatformAddresses, models: readonly ModelConfig[]): void {
    const { gatewayUrl, consoleUrl, grpcTarget, schedulerTarget } = addresses;
    this.say('info', 'hydra', 'HydraServe is ready', {
      console: consoleUrl,
      ...{ rest: `${gatewayUrl}/v1`, grpc: grpcTarget, swagger: `${gatewayUrl}/docs`, scheduler: schedulerTarget },
      models: models.map(({ id }) => id),
    });
  }

  override note(text: string): void {
    this.say('info', 'hydra', text);
  }

  override stopping(): void {
    this.say('info', 'hydra', STOPPING);
  }

  override failed(reason: string): void {
    this.say('fatal', 'hydra', reason);
  }

  private say(level: string, app: string, message: string, fields: object = {}): void {
    const time = new Date().toISOString();
    this.write(`${JSON.stringify({ level, time, app, ...fields, message })}\n`);
  }
}

function isJsonObject(line: string): boolean {
  if (!line.startsWith('{')) return false;
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

/** What a person needs next: where it is, what it serves, a line to paste. */
function banner(
  { gatewayUrl, consoleUrl, grpcTarget, schedulerTarget, needsKey }: PlatformAddresses,
  models: readonly ModelConfig[],
): string {
  const [first] = models;
  const body = JSON.stringify({
    model: first?.id,
    messages: [{ role: 'user', content: 'What is the capital of France?' }],
    temperature: 0,
    stream: true,
  });
  const key = needsKey ? ` -H "authorization: Bearer $HYDRA_API_KEY"` : '';
  return `
HydraServe is ready.

${consoleUrl === undefined ? '' : `  console   ${consoleUrl}\n`}  REST      ${gatewayUrl}/v1
  gRPC      ${grpcTarget}
  Swagger   ${gatewayUrl}/docs
  scheduler ${schedulerTarget}
  model     ${models.map((model) => model.id).join(', ')}

Try it:

  curl -N ${gatewayUrl}/v1/chat/completions -H 'content-type: application/json'${key} \\
    -d '${body}'

`;
}
