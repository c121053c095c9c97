/** Certificates for tests, made by openssl: an authority, a server for 127.0.0.1 and localhost, a client. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  readonly ca: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

/** Paths of PEM files in `folder`. */
export function makeCertificates(folder: string): Certificates {
  const path = (name: string): string => join(folder, `${name}.pem`);
  const make = (name: string, extensions: string, ...by: string[]): void => {
    const config = path(`${name}-config`);
    writeFileSync(config, `[req]\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\n[ext]\n${extensions}\n`);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', path(`${name}-key`)];
    const self = ['req', '-x509', '-days', '2', '-subj', `/CN=${name}`, '-config', config, '-out', path(name)];
    execFileSync('openssl', [...self, ...key, ...by], { stdio: 'ignore' });
  };
  make('ca', 'basicConstraints=critical,CA:true\nkeyUsage=keyCertSign\nsubjectKeyIdentifier=hash');
  const by = ['-CA', path('ca'), '-CAkey', path('ca-key')];
  make('server', 'basicConstraints=CA:false\nsubjectAltName=IP:127.0.0.1,DNS:localhost', ...by);
  make('client', 'basicConstraints=CA:false\nextendedKeyUsage=clientAuth', ...by);
  return {
    ca: path('ca'),
    serverCert: path('server'),
    serverKey: path('server-key'),
    clientCert: path('client'),
    clientKey: path('client-key'),
  };
}
