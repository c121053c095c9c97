/**
 * Stands for a distant server: passes on TCP connections, each piece after a time.
 *
 *     node bench/delay-proxy.ts MILLISECONDS PORT      # prints its own port; MILLISECONDS there and back again
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

const [roundTrip = 0, target = 0] = process.argv.slice(2).map(Number);

/** Pieces keep their order and their distances; they are not read faster than they are taken. */
function pipe(from: Socket, to: Socket): void {
  let held = 0;
  const later = (action: () => void): void => void setTimeout(action, roundTrip / 2);
  from.on('data', (piece) => {
    held += piece.length;
    if (held > 16 * 1024 * 1024) from.pause();
    later(() => {
      held -= piece.length;
      if (!to.destroyed) to.write(piece, () => from.resume());
    });
  });
  from.on('end', () => later(() => to.end()));
  from.on('error', () => to.destroy());
  from.on('close', () => later(() => to.destroy()));
}

const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
  const onwards = connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  pipe(client, onwards);
  pipe(onwards, client);
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
