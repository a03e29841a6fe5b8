import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Rotation } from './rotation.js';

const widths = fc.constantFrom(1, 2, 3, 8, 12, 64, 96, 576);

it('given any width, when its matrix is multiplied with its transpose, then the identity comes out', () => {
  fc.assert(
    fc.property(widths, (width) => {
      const matrix = new Rotation(width).matrix();
      let largest = 0;
      for (let a = 0; a < width; a++) {
        for (let b = a; b < width; b++) {
          let product = 0;
          for (let i = 0; i < width; i++) product += matrix[a * width + i]! * matrix[b * width + i]!;
          largest = Math.max(largest, Math.abs(product - (a === b ? 1 : 0)));
        }
      }
      expect(largest).toBeLessThan(1e-5);
    }),
    { numRuns: 20 },
  );
});

it('given a vector with one element, when rotated, then no element is larger than twice the mean', () => {
  fc.assert(
    fc.property(fc.constantFrom(64, 96, 576, 2048), fc.nat(), (width, place) => {
      const vector = new Float32Array(width);
      vector[place % width] = 1;
      new Rotation(width).rotateRows(vector);
      expect(Math.max(...vector.map(Math.abs))).toBeLessThan(2 / Math.sqrt(width));
    }),
  );
});

it('given several rows, when rotated together, then each is as it is alone', () => {
  const rotation = new Rotation(96);
  const rows = Float32Array.from({ length: 3 * 96 }, (_, i) => Math.sin(i * i));
  const alone = rows.slice(96, 192);
  rotation.rotateRows(rows);
  rotation.rotateRows(alone);
  expect(rows.slice(96, 192)).toEqual(alone);
});
