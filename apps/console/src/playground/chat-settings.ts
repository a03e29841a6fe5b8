/** What an answer is asked with. An absent value is left to the model. */
export interface ChatSettings {
  readonly model: string;
  readonly systemPrompt: string;
  readonly temperature?: number;
  readonly maxTokens?: number;
}

/** A field of numbers: what may stand in it. */
export interface NumberField {
  readonly min: number;
  readonly max: number;
  readonly isWhole: boolean;
}

export const TEMPERATURE: NumberField = { min: 0, max: 2, isWhole: false };
export const MAX_TOKENS: NumberField = { min: 1, max: 1_000_000, isWhole: true };

/** @returns `undefined` for an empty field, else the number or what is wrong with it */
export function readNumber(text: string, { min, max, isWhole }: NumberField): number | undefined | { wrong: string } {
  if (text.trim() === '') return undefined;
  const value = Number(text);
  const isFine = Number.isFinite(value) && value >= min && value <= max && (!isWhole || Number.isInteger(value));
  return isFine ? value : { wrong: `Expected ${isWhole ? 'a whole number' : 'a number'} from ${min} to ${max}.` };
}
