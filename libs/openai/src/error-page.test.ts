import { expect, it } from 'vitest';
import { errorPage } from './error-page.js';

it('given the committed docs/errors.md, when generated again, then it is the same', async () => {
  await expect(errorPage()).toMatchFileSnapshot('../../../docs/errors.md');
});
