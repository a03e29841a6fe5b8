export { RedisLimitBook } from './redis-limit-book.js';
export { RedisRequestWindows } from './redis-request-windows.js';
export { addScripts, connectRedis, runScript } from './redis-scripts.js';
