/** Stores objects and registers streams of them until it is killed: `kill-writer.ts REPOSITORY SEED [ROUNDS]`. Opens it anew for
 * every one if ROUNDS are given, so that others get their turn. */
import { SplitstreamWriter } from '../../splitstream/write.ts';
import { Repository } from '../../src/repository/repository.ts';

const [, , path = '', seed = '', rounds] = process.argv;
let repository = await Repository.open(path);
console.log('started');
for (let i = 0; i < Number(rounds ?? Infinity); i++) {
  const transaction = await repository.begin();
  const writer = new SplitstreamWriter({ algorithm: 'sha256', contentType: 7n });
  for (let k = 0; k < 20; k++) {
    const data = Buffer.from(`${seed} ${i} ${k} `.repeat(50 * k));
    writer.writeExternal(transaction.storeBytes(data), data.length);
  }
  transaction.linkStream(`s${seed}-${i % 10}`, transaction.storeBytes(writer.finish()));
  transaction.linkRef('streams', `r/${seed}-${i % 10}`, `s${seed}-${i % 10}`);
  await transaction.commit();
  if (rounds !== undefined) {
    repository.close();
    repository = await Repository.open(path);
  }
}
