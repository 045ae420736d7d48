import pg from 'pg';

/**
 * The secret of a key with both roles. No route makes one any more; one that an older version made must not pass four eyes
 * either. `ask`: POST to /admin/v1/keys as an administrator.
 */
export async function keyWithBothRoles(
  superuserUrl: string,
  ask: (body: object) => Promise<{ readonly json: Record<string, unknown> }>,
): Promise<string> {
  const key = { workspaceId: 'ws-default', label: 'both', roles: ['admin'] };
  const { json } = await ask(key);
  const client = new pg.Client({ connectionString: superuserUrl });
  await client.connect();
  await client.query(`update control.api_key set roles = '{admin,approver}' where id = $1`, [
    json['id'],
  ]);
  await client.end();
  // The next change publishes the state as it is now.
  await ask({ ...key, label: 'another' });
  return String(json['secret']);
}
