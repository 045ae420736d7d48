import pg from 'pg';

/** Whom the processes connect as, so that their logins can be made where they are missing. */
export interface RoleUrls {
  /** Of the processes that read and write the tables. */
  readonly app?: string | undefined;
  /** Of the data plane, which may only append to the log. */
  readonly audit?: string | undefined;
}

/** Beside the owner, by whom the migrations run: what each may do with a table is granted by the migrations. */
const ROLES = { app: 'custos_app', audit: 'custos_audit' } as const;

const DUPLICATE = new Set(['42710', '23505']);
const FORBIDDEN = '42501';

/**
 * Makes the roles that the grants name, where they are missing: as a login with the password of its URL, or, where the
 * process connects under another name, as a group that this name becomes a member of. A cluster that has them is left as
 * it is. Throws an Error with the SQL to run where the owner may not create roles.
 */
export async function ensureRoles(client: pg.Client, urls: RoleUrls): Promise<void> {
  const { rows } = await client.query<{ rolname: string }>(
    'select rolname from pg_roles where rolname = any($1::text[])',
    [Object.values(ROLES)],
  );
  const there = new Set(rows.map((r) => r.rolname));
  for (const [kind, role] of Object.entries(ROLES)) {
    const login = loginOf(urls[kind as keyof RoleUrls]);
    if (!there.has(role)) await create(client, role, login);
    if (login !== undefined && login.name !== role) await admit(client, role, login.name);
  }
}

interface Login {
  readonly name: string;
  readonly password: string;
}

function loginOf(url: string | undefined): Login | undefined {
  if (url === undefined) return undefined;
  const { username, password } = new URL(url);
  if (username === '') return undefined;
  return { name: decodeURIComponent(username), password: decodeURIComponent(password) };
}

async function create(client: pg.Client, role: string, login: Login | undefined): Promise<void> {
  const own = login?.name === role;
  const password =
    own && login.password !== '' ? ` password ${pg.escapeLiteral(login.password)}` : '';
  const { rows } = await client.query<{ database: string }>(
    'select current_database() as database',
  );
  const database = pg.escapeIdentifier(rows[0]?.database ?? '');
  await orSay(
    client,
    `create role ${role} ${own ? 'login' : 'nologin'}${password}`,
    `create role ${role} login password '…'; grant connect on database ${database} to ${role};`,
  );
  await orSay(
    client,
    `grant connect on database ${database} to ${role}`,
    `grant connect on database ${database} to ${role};`,
  );
}

/** Who connects under a name of its own has the rights of the role. The owner has them without. */
async function admit(client: pg.Client, role: string, name: string): Promise<void> {
  const { rows } = await client.query<{ admitted: boolean }>(
    `select rolname = current_user or pg_has_role(oid, $2, 'member') as admitted
     from pg_roles where rolname = $1`,
    [name, role],
  );
  if (rows[0]?.admitted === true) return;
  const grant = `grant ${role} to ${pg.escapeIdentifier(name)}`;
  await orSay(client, grant, `${grant};`);
}

async function orSay(client: pg.Client, sql: string, toRun: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    const code = (error as { readonly code?: unknown }).code;
    // Another process of the cluster was faster.
    if (typeof code === 'string' && DUPLICATE.has(code)) return;
    if (code !== FORBIDDEN) throw error;
    throw new Error(`the owner's role may not do this; let an administrator run: ${toRun}`, {
      cause: error,
    });
  }
}
