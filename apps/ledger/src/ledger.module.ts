import { Module, type DynamicModule } from '@nestjs/common';
import { AccountController } from './account-api/account.controller.js';
import { TrailsController } from './audit-api/trails.controller.js';
import { ForksController } from './checkpoint/forks.controller.js';
import { ExportController } from './export/export.controller.js';
import { LeasesController } from './leases/leases.controller.js';
import {
  AccountGuard,
  AdminGuard,
  AdminOrApproverGuard,
  AuditorGuard,
  EntriesGuard,
  AuditorOrAdminGuard,
  LEDGER_ACCESS,
  LedgerPeerGuard,
  type LedgerAccess,
} from './ledger.guards.js';
import { Ledger } from './ledger.js';
import { OpenApiController } from './openapi/openapi.controller.js';
import { LogController } from './log-api/log.controller.js';
import { ReceiptsController } from './receipts/receipts.controller.js';
import { RefundsController } from './refunds/refunds.controller.js';
import { RetentionController } from './retention/retention.controller.js';
import { FocusController } from './statements/focus.controller.js';
import { InvoicesController } from './statements/invoices.controller.js';
import { ReconciliationsController } from './statements/reconcile/reconciliations.controller.js';
import { StatusController } from './status.controller.js';
import { TimeStampsController } from './time-stamp/time-stamps.controller.js';

export interface LedgerModuleOptions extends LedgerAccess {
  /** Started and closed by the caller. */
  readonly ledger: Ledger;
}

/** The HTTP face of the ledger: trails for auditors, their own books for callers, leases for the data plane. */
@Module({})
export class LedgerModule {
  static register(options: LedgerModuleOptions): DynamicModule {
    return {
      module: LedgerModule,
      controllers: [
        TrailsController,
        OpenApiController,
        AccountController,
        LeasesController,
        StatusController,
        LogController,
        TimeStampsController,
        ReceiptsController,
        ExportController,
        RefundsController,
        RetentionController,
        ForksController,
        InvoicesController,
        FocusController,
        ReconciliationsController,
      ],
      providers: [
        { provide: Ledger, useValue: options.ledger },
        { provide: LEDGER_ACCESS, useValue: options },
        AuditorGuard,
        EntriesGuard,
        AuditorOrAdminGuard,
        AdminGuard,
        AdminOrApproverGuard,
        AccountGuard,
        LedgerPeerGuard,
      ],
    };
  }
}
