import type { FetchImplementation } from 'jose';

/** Most of an issuer's answer that is read, in bytes. Key sets of large providers have some 10 kB. Chosen. */
const MAX_KEY_SET_BYTES = 1024 * 1024;

/**
 * Fetches the key set of one issuer: reads no more than a key set can have, and leaves an issuer that just failed alone, however
 * many tokens come meanwhile.
 * @param retryMs  after a failure, in milliseconds
 */
export function keySetFetch(retryMs: number): FetchImplementation {
  let retryAtMs = 0; // of a clock that does not jump
  return async (url, options) => {
    if (performance.now() < retryAtMs) throw new Error('The issuer was asked a moment ago, and failed.');
    try {
      const response = await fetch(url, options);
      const { status } = response;
      const text = await textOf(response);
      if (status !== 200 || !isKeySet(text)) retryAtMs = performance.now() + retryMs;
      return new Response(text, { status: status === 200 ? 200 : 502 }); // which other one it was makes no difference
    } catch (error) {
      retryAtMs = performance.now() + retryMs;
      throw error;
    }
  };
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_KEY_SET_BYTES) throw new Error(`The issuer's key set has more than ${MAX_KEY_SET_BYTES} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const isJsonObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);

function isKeySet(text: string): boolean {
  try {
    const { keys } = JSON.parse(text);
    return Array.isArray(keys) && keys.every(isJsonObject);
  } catch {
    return false; // jose says what is wrong with it
  }
}
