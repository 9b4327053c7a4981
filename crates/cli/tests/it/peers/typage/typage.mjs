// age's TypeScript implementation as a program that is called as age is, for files in bulk:
//
//     node typage.mjs MODULES [-a] -r RECIPIENT | -p FILE  IN OUT …    encrypts
//     node typage.mjs MODULES -d -i FILE | -p FILE         IN OUT …    decrypts, armored or not
//
// MODULES is a folder in which `npm ci` installed what package.json names; `-p` names a file whose first line is the passphrase.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { webcrypto } from "node:crypto";

// Node 18 has it under this name only.
globalThis.crypto ??= webcrypto;

const [modules, ...args] = process.argv.slice(2);
const age = await import(pathToFileURL(createRequire(join(modules, "here")).resolve("age-encryption")));

const { values, positionals: files } = parseArgs({
  args,
  allowPositionals: true,
  options: {
    decrypt: { type: "boolean", short: "d" },
    armor: { type: "boolean", short: "a" },
    recipient: { type: "string", short: "r" },
    identity: { type: "string", short: "i" },
    passphrase: { type: "string", short: "p" },
  },
});

const lines = (path) => readFileSync(path, "utf8").split("\n");
const coder = values.decrypt ? new age.Decrypter() : new age.Encrypter();
if (values.recipient) coder.addRecipient(values.recipient);
for (const line of values.identity ? lines(values.identity) : []) {
  if (line && !line.startsWith("#")) coder.addIdentity(line);
}
if (values.passphrase) {
  const [passphrase] = lines(values.passphrase);
  if (values.decrypt) {
    coder.addPassphrase(passphrase);
  } else {
    coder.setPassphrase(passphrase);
    // What a passphrase costs isn't what is compared.
    coder.setScryptWorkFactor(10);
  }
}

async function decrypted(file) {
  const isArmored = file.subarray(0, 5).toString() === "-----";
  return coder.decrypt(isArmored ? age.armor.decode(file.toString()) : new Uint8Array(file));
}

async function encrypted(file) {
  const sealed = await coder.encrypt(new Uint8Array(file));
  return values.armor ? age.armor.encode(sealed) : sealed;
}

for (let index = 0; index < files.length; index += 2) {
  const file = readFileSync(files[index]);
  writeFileSync(files[index + 1], await (values.decrypt ? decrypted(file) : encrypted(file)));
}
