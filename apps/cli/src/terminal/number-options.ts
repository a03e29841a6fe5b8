import { InvalidArgumentError } from 'commander';

/** Reads the value of an option, for commander. @throws InvalidArgumentError that says what was expected */
export function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new InvalidArgumentError('Expected a whole number, at least 1.');
  }
  return number;
}

/** One that may be 0. @throws InvalidArgumentError */
export function wholeNumberOrZero(text: string): number {
  return text === '0' ? 0 : wholeNumber(text);
}

/** `1,4,16` */
export function wholeNumbers(text: string): number[] {
  return text.split(',').map(wholeNumber);
}

export function positiveNumber(text: string): number {
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number))) throw new InvalidArgumentError('Expected a number above 0.');
  return number;
}

export function temperature(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !(number >= 0 && number <= 2)) {
    throw new InvalidArgumentError('Expected a number from 0 to 2.');
  }
  return number;
}
