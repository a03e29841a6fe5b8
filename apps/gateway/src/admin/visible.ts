/** Text without control characters, halves of characters and the like: it may come into logs, headers and every database. */
export const VISIBLE = /^[^\p{C}]+$/u;
export const VISIBLE_WORDS = { message: 'expected a text without control characters' };
