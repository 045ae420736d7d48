import { Module, type DynamicModule } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { CONNECT_TIMEOUT_MS } from '#libs/platform';
import { BudgetsController } from './admin/budgets.controller.js';
import { KeysController } from './admin/keys.controller.js';
import { NotThereController } from './admin/not-there.controller.js';
import { OrganizationsController } from './admin/organizations.controller.js';
import { WorkspacesController } from './admin/workspaces.controller.js';
import { CreateApiKeyHandler } from './commands/create-api-key.js';
import { CreateOrganisationHandler } from './commands/create-organisation.js';
import { CreateWorkspaceHandler } from './commands/create-workspace.js';
import { DisableApiKeyHandler } from './commands/disable-api-key.js';
import { SetLimitHandler } from './commands/set-limit.js';
import { CONTROL_OPTIONS, type ControlOptions } from './control-options.js';
import { ControlPlane } from './control-plane.js';
import { CONTROL_ENTITIES } from './entities/index.js';
import { CorrectionsController } from './corrections/corrections.controller.js';
import { BuyCreditHandler } from './credits/buy-credit.js';
import { CreditsController } from './credits/credits.controller.js';
import { PurchasesController } from './credits/purchases.controller.js';
import { DecideHandler } from './dual-control/decide.js';
import { ProposeHandler } from './dual-control/propose.js';
import { ErasuresController } from './erasures/erasures.controller.js';
import { FactsController } from './facts/facts.controller.js';
import { HoldsController } from './holds/holds.controller.js';
import { AdminGuard, ApproverGuard, ControlInternalGuard, EitherGuard } from './guards.js';
import { Outbox } from './outbox.js';
import { AskRefundController } from './refunds/ask-refund.controller.js';
import { AskRefundHandler } from './refunds/ask-refund.js';
import { RefundsController } from './refunds/refunds.controller.js';
import { SnapshotsController } from './snapshots.controller.js';
import { ContentReadingsController } from './vault/content-readings.controller.js';
import { ContentVault } from './vault/content-vault.js';
import { ContentVaultController } from './vault/content-vault.controller.js';
import { SetContentVaultHandler } from './vault/set-content-vault.js';
import { VaultTender } from './vault/vault-tender.js';

/** Changes are rare: a few connections serve requests and the relay. */
const POOL_SIZE = 4;
const STATEMENT_TIMEOUT_MS = 10_000;

/** Organisations, workspaces, keys and limits: changed by commands, recorded in the log, then in force. */
@Module({})
export class ControlModule {
  static register(options: ControlOptions): DynamicModule {
    return {
      module: ControlModule,
      imports: [CqrsModule.forRoot({ rethrowUnhandled: true })],
      controllers: [
        OrganizationsController,
        WorkspacesController,
        KeysController,
        BudgetsController,
        ContentReadingsController,
        ContentVaultController,
        CorrectionsController,
        CreditsController,
        ErasuresController,
        FactsController,
        HoldsController,
        PurchasesController,
        AskRefundController,
        RefundsController,
        NotThereController,
        SnapshotsController,
      ],
      providers: [
        { provide: CONTROL_OPTIONS, useValue: options },
        { provide: DataSource, useFactory: () => openDatabase(options.databaseUrl) },
        AdminGuard,
        ApproverGuard,
        EitherGuard,
        ControlInternalGuard,
        ControlPlane,
        Outbox,
        ContentVault,
        VaultTender,
        AskRefundHandler,
        BuyCreditHandler,
        CreateApiKeyHandler,
        CreateOrganisationHandler,
        CreateWorkspaceHandler,
        DecideHandler,
        DisableApiKeyHandler,
        ProposeHandler,
        SetContentVaultHandler,
        SetLimitHandler,
      ],
      exports: [ControlPlane],
    };
  }
}

function openDatabase(url: string): Promise<DataSource> {
  return new DataSource({
    type: 'postgres',
    url,
    entities: CONTROL_ENTITIES,
    logging: false,
    poolSize: POOL_SIZE,
    applicationName: 'custos control',
    extra: {
      statement_timeout: STATEMENT_TIMEOUT_MS,
      // Whoever decides has a lock that all others wait for: it is not held over anything but this database's answers.
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    },
  }).initialize();
}
