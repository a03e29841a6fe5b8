export { type Database, DatabaseUnusableError, openDatabase } from './open-database.js';
export type { ApiKeyRow, AuditRow, PolicyRow, ServiceAccountRow, TenantRow } from './tables.js';
