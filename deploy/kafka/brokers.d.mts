export interface BrokerNode {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
  readonly dir: string;
}

export interface BrokerCluster {
  readonly id: string;
  readonly nodes: readonly BrokerNode[];
}

type Log = (message: string) => void;

export function defaultJarsDir(): string;
export function ensureKafkaJars(options?: { jarsDir?: string; log?: Log }): Promise<string>;
export function startBrokers(options: {
  dir: string;
  count?: number;
  jarsDir?: string;
  log?: Log;
}): Promise<BrokerCluster>;
export function startBroker(
  cluster: BrokerCluster,
  id: number,
  options?: { jarsDir?: string },
): Promise<void>;
export function killBroker(cluster: BrokerCluster, id: number): Promise<void>;
export function stopBroker(cluster: BrokerCluster, id: number): Promise<void>;
export function stopBrokers(dir: string): Promise<number>;
export function brokerPid(cluster: BrokerCluster, id: number): number | undefined;
export function bootstrapServers(cluster: BrokerCluster): string;
export function openCluster(dir: string): BrokerCluster | undefined;
