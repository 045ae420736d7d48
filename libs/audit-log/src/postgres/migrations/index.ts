import type { MigrationInterface } from 'typeorm';
import { AuditLogTables1763720000001 } from './1763720000001-audit-log-tables.js';
import { AuditLogAppend1763720000002 } from './1763720000002-audit-log-append.js';
import { AuditLogRoles1763720000003 } from './1763720000003-audit-log-roles.js';
import { AuditLogForget1763800002000 } from './1763800002000-audit-log-forget.js';
import { AuditLogDropRanges1763800002400 } from './1763800002400-audit-log-drop-ranges.js';
import { AuditRoleSaysTraffic1763800007000 } from './1763800007000-audit-role-says-traffic.js';
import { AuditLogDropsUnderNoHold1763800010200 } from './1763800010200-audit-log-drops-under-no-hold.js';

/** In order; run by the app under the owner's role, before any log is opened. */
export const auditLogMigrations: readonly (new () => MigrationInterface)[] = [
  AuditLogTables1763720000001,
  AuditLogAppend1763720000002,
  AuditLogRoles1763720000003,
  AuditLogForget1763800002000,
  AuditLogDropRanges1763800002400,
  AuditRoleSaysTraffic1763800007000,
  AuditLogDropsUnderNoHold1763800010200,
];
