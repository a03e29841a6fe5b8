/** Why a source could not give a model. */
export type SourceFailureReason =
  /** No answer: no network, refused, timed out, cut too often, or a server error that stayed. */
  | 'unreachable'
  /** 401 or 403: a token is missing or may not read it. */
  | 'access-denied'
  /** The repository, revision, package or file does not exist there. */
  | 'not-found'
  /** What arrived, twice, is not what was announced. */
  | 'checksum'
  /** The answer is not what the protocol says. */
  | 'malformed';

/** One source of a model failed; another may do. The message is a whole sentence. */
export class SourceError extends Error {
  override readonly name = 'SourceError';

  constructor(
    readonly reason: SourceFailureReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Every source of a model failed; the message names each with its reason. */
export class PullFailedError extends Error {
  override readonly name = 'PullFailedError';

  constructor(
    readonly model: string,
    readonly failures: readonly { readonly source: string; readonly error: SourceError }[],
  ) {
    const lines = failures.map(({ source, error }) => `  ${source}: ${error.message}`);
    super(
      failures.length === 1
        ? `${model} could not be downloaded from ${failures[0]?.source}: ${failures[0]?.error.message}`
        : `${model} could not be downloaded from any of its ${failures.length} sources:\n${lines.join('\n')}`,
      { cause: failures[0]?.error },
    );
  }
}

/** The name is no catalogue name, no hub id and no path that exists. */
export class UnknownModelError extends Error {
  override readonly name = 'UnknownModelError';

  constructor(
    readonly model: string,
    reason: string,
  ) {
    super(`Unknown model ${JSON.stringify(model)}: ${reason}.`);
  }
}

/** The model is there, but is of a kind that we cannot use. Nothing was downloaded in vain. */
export class UnsupportedModelError extends Error {
  override readonly name = 'UnsupportedModelError';

  constructor(
    readonly model: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`${model} cannot be used: ${reason}.`, options);
  }
}

/** There is no room. What was downloaded so far is kept and goes on when there is. */
export class DiskFullError extends Error {
  override readonly name = 'DiskFullError';

  constructor(
    readonly folder: string,
    readonly missingBytes?: number,
    options?: ErrorOptions,
  ) {
    const amount = missingBytes === undefined ? '' : `: ${Math.ceil(missingBytes / 1e6)} MB more are needed`;
    super(
      `The disk of ${folder} is full${amount}. Free some space (\`hydra models prune\` helps) and try again.`,
      options,
    );
  }
}

const ACCESS_REASONS: Readonly<Record<string, string>> = {
  EACCES: 'there is no permission',
  EPERM: 'there is no permission',
  EROFS: 'the disk is read-only',
  ENOTDIR: 'a part of the path is no folder',
  EEXIST: 'a part of the path is no folder',
};

/** The storage folder cannot be read or written. */
export class StorageAccessError extends Error {
  override readonly name = 'StorageAccessError';

  constructor(
    readonly path: string,
    readonly code: string,
    options?: ErrorOptions,
  ) {
    const reason = ACCESS_REASONS[code] ?? 'the file system refuses';
    super(
      `${path} cannot be used: ${reason} (${code}). Make it writable or set \`storage.folder\` (HYDRA_HOME).`,
      options,
    );
  }
}

/** The model is in use by a pull or a compilation of another process. */
export class ModelInUseError extends Error {
  override readonly name = 'ModelInUseError';

  constructor(
    readonly model: string,
    readonly processId: number,
  ) {
    super(`${model} is being downloaded by process ${processId}; wait for it or end it first.`);
  }
}

const FULL_CODES = new Set(['ENOSPC', 'EDQUOT']);

/** Names what the file system refused; anything else is given back as it was. */
export function toStorageError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === undefined) return error;
  if (FULL_CODES.has(code)) return new DiskFullError(path, undefined, { cause: error });
  if (code in ACCESS_REASONS) return new StorageAccessError(path, code, { cause: error });
  return error;
}
