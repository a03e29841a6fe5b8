import { expect, it } from 'vitest';
import { configurationPage } from './configuration-table.js';

it('given the committed docs/configuration.md, when generated again, then it is the same', async () => {
  await expect(configurationPage()).toMatchFileSnapshot('../../../docs/configuration.md');
});
