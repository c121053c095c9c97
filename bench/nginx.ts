/** The real nginx, which serves a folder over HTTP/1.1 and HTTP/2 with TLS, and forwards requests as a proxy. For tests and benchmarks. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';

export interface NginxOptions {
  /** Where its own files lie; made here. */
  readonly folder: string;
  /** What it serves. */
  readonly root: string;
  /** PEM files, to serve over TLS too, with HTTP/2. */
  readonly certificates?: { readonly serverCert: string; readonly serverKey: string };
}

export interface Nginx extends Disposable {
  readonly url: string;
  /** Over TLS. */
  readonly secureUrl: string;
  /** Forwards to addresses in numbers. */
  readonly proxyUrl: string;
  /** The lines of its log: protocol, status and path of each request served; of forwarded ones "proxy" and the path. */
  readonly log: string;
}

export async function startNginx({ folder, root, certificates }: NginxOptions): Promise<Nginx> {
  mkdirSync(folder);
  const [port, securePort, proxyPort] = await freePorts(3);
  const tls =
    certificates === undefined
      ? ''
      : `listen 127.0.0.1:${securePort} ssl http2;
         ssl_certificate ${certificates.serverCert}; ssl_certificate_key ${certificates.serverKey};`;
  const own = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    join(folder, 'nginx.conf'),
    `user root; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
     events { worker_connections 1024; }
     http {
       ${own.join(' ')} sendfile on; tcp_nopush on; keepalive_requests 1000000;
       log_format served '$server_protocol $status $uri'; log_format forwarded 'proxy $uri';
       server { listen 127.0.0.1:${port}; ${tls} root ${root}; access_log ${folder}/log served; }
       server {
         listen 127.0.0.1:${proxyPort}; access_log ${folder}/log forwarded;
         location / { proxy_pass http://$http_host$request_uri; }
       }
     }`,
  );
  const nginx = (...args: string[]): void => {
    const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` };
    const argv = ['-c', join(folder, 'nginx.conf'), ...args];
    const { status, stderr, error } = spawnSync('nginx', argv, { encoding: 'utf8', env });
    if (status !== 0) throw error ?? new Error(`nginx: ${stderr}`);
  };
  nginx();
  return {
    url: `http://127.0.0.1:${port}`,
    secureUrl: `https://127.0.0.1:${securePort}`,
    proxyUrl: `http://127.0.0.1:${proxyPort}`,
    log: join(folder, 'log'),
    [Symbol.dispose]: () => nginx('-s', 'stop'),
  };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return (server.address() as AddressInfo).port;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
