import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { embeddingListBody } from './embedding-answer.js';
import { parseEmbeddingRequest } from './embedding-request.js';

const parse = (body: object) => parseEmbeddingRequest({ model: 'm', ...body });
const text = (content: string, param = 'input') => ({ kind: 'text', text: content, param });
const ids = (tokenIds: number[], param = 'input') => ({ kind: 'token-ids', tokenIds, param });

describe('parseEmbeddingRequest', () => {
  it.each([
    ['a text', 'x', [text('x')]],
    ['token ids', [1, 2], [ids([1, 2])]],
    ['a list of texts', ['x', 'y'], [text('x', 'input[0]'), text('y', 'input[1]')]],
    ['a list of token ids', [[1], [2, 3]], [ids([1], 'input[0]'), ids([2, 3], 'input[1]')]],
    ['both', ['x', [2]], [text('x', 'input[0]'), ids([2], 'input[1]')]],
    ['a lone surrogate', 'a\ud800', [text('a\ufffd')]],
  ])('given %s, when parsed, then each input knows its own name', (_name, input, inputs) => {
    expect(parse({ input }).inputs).toEqual(inputs);
  });

  it('given nothing but an input, when parsed, then numbers are wanted and no field is unknown', () => {
    expect(parse({ input: 'x' })).toMatchObject({ model: 'm', encoding: 'float', unknownFields: [] });
    expect(parse({ input: 'x', encoding_format: null, dimensions: null })).toMatchObject({ encoding: 'float' });
    expect(parse({ input: 'x', encoding_format: 'base64', user: 'u', timeout_ms: 5, what: 1 })).toMatchObject({
      ...{ encoding: 'base64', user: 'u', timeoutMs: 5, unknownFields: ['what'] },
    });
  });

  it.each([
    ['no input', {}, 'missing_required_parameter', 'input'],
    ['null', { input: null }, 'missing_required_parameter', 'input'],
    ['an empty text', { input: '' }, 'invalid_value', 'input'],
    ['an empty list', { input: [] }, 'invalid_value', 'input'],
    ['an empty text among others', { input: ['x', ''] }, 'invalid_value', 'input[1]'],
    ['an empty list among others', { input: [[1], []] }, 'invalid_value', 'input[1]'],
    ['a number', { input: 1.5 }, 'invalid_type', 'input'],
    ['an object', { input: {} }, 'invalid_type', 'input'],
    ['a fraction as id', { input: [1.5] }, 'invalid_type', 'input[0]'],
    [
      'a fraction among ids',
      {
        input: [
          [1, 2],
          [3, 0.5],
        ],
      },
      'invalid_type',
      'input[1][1]',
    ],
    ['a text among ids', { input: [1, 'x'] }, 'invalid_type', 'input[1]'],
    ['an id among texts', { input: ['x', 1] }, 'invalid_type', 'input[1]'],
    ['a text in a list of ids', { input: [[1, 'x']] }, 'invalid_type', 'input[0][1]'],
    ['an id below 0', { input: [-1] }, 'invalid_value', 'input[0]'],
    ['an id that no vocabulary has', { input: [[4_294_967_296]] }, 'invalid_value', 'input[0][0]'],
    ['too many texts', { input: Array(2_049).fill('x') }, 'invalid_value', 'input'],
    ['too many ids', { input: Array(1_048_577).fill(1) }, 'invalid_value', 'input'],
    ['dimensions', { input: 'x', dimensions: 8 }, 'unsupported_parameter', 'dimensions'],
    ['dimensions that are none', { input: 'x', dimensions: 'all' }, 'unsupported_parameter', 'dimensions'],
    ['an unknown encoding', { input: 'x', encoding_format: 'hex' }, 'invalid_value', 'encoding_format'],
    ['an encoding of another type', { input: 'x', encoding_format: 4 }, 'invalid_type', 'encoding_format'],
    ['a user of another type', { input: 'x', user: 4 }, 'invalid_type', 'user'],
    ['no model', { input: 'x', model: undefined }, 'missing_required_parameter', 'model'],
  ])('given %s, when parsed, then the error names the parameter', (_name, body, condition, param) => {
    expect(() => parse(body)).toThrow(expect.objectContaining({ condition, param }));
  });

  it('given as many inputs as are allowed, when parsed, then all are there', () => {
    expect(parse({ input: Array(2_048).fill('x') }).inputs).toHaveLength(2_048);
  });
});

describe('embeddingListBody', () => {
  const rows = fc
    .integer({ min: 1, max: 8 })
    .chain((dimensions) =>
      fc.array(fc.array(fc.float({ noNaN: true }), { minLength: dimensions, maxLength: dimensions }), { minLength: 1 }),
    );
  const bytesOf = (vectors: readonly (readonly number[])[]) => {
    const bytes = Buffer.alloc(vectors.flat().length * 4);
    for (const [index, value] of vectors.flat().entries()) bytes.writeFloatLE(value, index * 4);
    return bytes;
  };

  it('given any vectors, when written as numbers or as base64, then both hold them bit for bit, in their order', () =>
    fc.assert(
      fc.property(rows, (vectors) => {
        const answer = { vectors: bytesOf(vectors), dimensions: vectors[0]!.length };
        const floats = embeddingListBody('m', 'float', answer, 3);
        expect(floats.data.map(({ embedding }) => embedding)).toEqual(vectors);
        const packed = embeddingListBody('m', 'base64', answer, 3);
        expect(packed.data.map(({ embedding }) => decoded(embedding))).toEqual(vectors);
        for (const { data, usage } of [floats, packed]) {
          expect(data.map(({ index }) => index)).toEqual(vectors.map((_, index) => index));
          expect(usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
        }
      }),
    ));
});

function decoded(embedding: string | number[]): number[] {
  const bytes = Buffer.from(embedding as string, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
}
