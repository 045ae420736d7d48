import type { Principal } from '#libs/identity';
import { usdNumber } from '#libs/kernel';
import type { PeriodUsage } from '#libs/ledger-store';

/** The calling key in OpenRouter's shape. `limit_remaining` is of the running period and counts what is held as spent. */
export function keyRecord(
  { key, workspace, organisation }: Principal,
  usage: PeriodUsage,
): { readonly data: Record<string, unknown> } {
  const limit = key.limitPicoUsd;
  const { postedPicoUsd, heldPicoUsd } = usage[key.limitReset ?? 'lifetime'];
  const spoken = postedPicoUsd + heldPicoUsd;
  const remaining = limit === undefined ? null : limit > spoken ? limit - spoken : 0n;
  return {
    data: {
      label: key.label,
      limit: limit === undefined ? null : usdNumber(limit),
      limit_remaining: remaining === null ? null : usdNumber(remaining),
      limit_reset: key.limitReset ?? null,
      usage: usdNumber(usage.lifetime.postedPicoUsd),
      usage_daily: usdNumber(usage.daily.postedPicoUsd),
      usage_weekly: usdNumber(usage.weekly.postedPicoUsd),
      usage_monthly: usdNumber(usage.monthly.postedPicoUsd),
      byok_usage: 0,
      byok_usage_daily: 0,
      byok_usage_weekly: 0,
      byok_usage_monthly: 0,
      include_byok_in_limit: false,
      is_free_tier: false,
      is_management_key: key.roles.includes('admin'),
      is_provisioning_key: key.roles.includes('admin'),
      creator_user_id: null,
      organization_id: organisation.id,
      workspace_id: workspace.id,
      allowed_data_regions: null,
      free_model_daily_requests: null,
      expires_at: null,
      rate_limit: { requests: -1, interval: '10s', note: 'Not enforced; kept for compatibility.' },
    },
  };
}
