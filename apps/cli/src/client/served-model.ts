import { ask, ServerError } from './openai-stream.js';

/**
 * The model to ask for: the one given, else the first that the server lists. An alias `default` is a custom of ours that
 * other servers, and a configuration without aliases, do not know.
 */
export async function servedModel(url: string, given: string | undefined, signal?: AbortSignal): Promise<string> {
  if (given !== undefined) return given;
  const response = await ask(`${url}/v1/models`, {}, signal);
  const { data } = (await response.json()) as { data: readonly { id: string }[] };
  const [first] = data;
  if (first === undefined) throw new ServerError(`${url} serves no model at present`, response.status);
  return first.id;
}
