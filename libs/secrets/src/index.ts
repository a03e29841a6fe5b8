export { API_KEY, API_KEY_PREFIX, maskKeys } from './api-key-form.js';
export { DATABASE_URL, DATABASE_URL_EXPECTED } from './database-url.js';
