import { readFile } from 'node:fs/promises';
import { arch } from 'node:process';

const CPU_FILE = '/proc/cpuinfo';

/** The weights w8a8 ask for instructions that this processor does not have. */
export class ByteProductsError extends Error {
  override readonly name = 'ByteProductsError';
  constructor() {
    super(
      'Weights w8a8 need a processor with VNNI (avx512_vnni or avx_vnni in /proc/cpuinfo), which this one does not have: take int8 or int4.',
    );
  }
}

/**
 * Whether products of bytes are summed as they are. On x64 without VNNI two of them are summed in 16 bits, and what does not fit
 * is cut off. Where the system does not say what the processor has, it is taken to have VNNI.
 */
export async function hasByteProducts(readFlags: () => Promise<string | undefined> = cpuFlags): Promise<boolean> {
  if (arch !== 'x64') return true;
  const flags = await readFlags();
  return flags === undefined || /\bavx(512)?_vnni\b/.test(flags);
}

async function cpuFlags(): Promise<string | undefined> {
  try {
    return (await readFile(CPU_FILE, 'utf8')).match(/^flags\s*:.*$/m)?.[0];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
