// Makes calls of the origin private file system fail in a worker, as browsers do.
import { failure, type Native, patch, rejects, throws } from "./fault-patch.js";

/** Only workers have it, in whose types this folder is not checked. */
declare const FileSystemSyncAccessHandle: { prototype: object };

const never = () => new Promise<never>(() => undefined);

patch(StorageManager.prototype, "getDirectory", "opfs-root", { reject: rejects("SecurityError"), never });
patch(FileSystemDirectoryHandle.prototype, "getDirectoryHandle", "opfs-folder", {
  reject: rejects("NotAllowedError"),
  never,
});
patch(FileSystemDirectoryHandle.prototype, "getFileHandle", "opfs-file", { reject: rejects("NotFoundError"), never });
patch(FileSystemDirectoryHandle.prototype, "keys", "opfs-keys", { throw: throws("NotFoundError") });
patch(FileSystemDirectoryHandle.prototype, "removeEntry", "opfs-remove", {
  reject: rejects("NoModificationAllowedError"),
  never,
});
patch(FileSystemFileHandle.prototype, "createSyncAccessHandle", "opfs-open", {
  reject: rejects("NoModificationAllowedError"),
  never,
});
patch(FileSystemFileHandle.prototype, "getFile", "opfs-get-file", { reject: rejects("NotReadableError"), never });

/** As a disk that is full, or a file that was cut short. */
const short = (native: Native, self: object, [bytes, options]: [ArrayBuffer, object]) =>
  native.call(self, new Uint8Array(bytes, 0, bytes.byteLength - 1), options);
patch(FileSystemSyncAccessHandle.prototype, "read", "opfs-read", {
  throw: throws("InvalidStateError"),
  short,
  alter(native, self, [bytes, options]: [ArrayBuffer, object]) {
    const count = native.call(self, bytes, options);
    const all = new Uint8Array(bytes);
    all[0] = (all[0] ?? 0) ^ 1;
    return count;
  },
});
patch(FileSystemSyncAccessHandle.prototype, "write", "opfs-write", {
  throw: throws("InvalidStateError"),
  quota: throws("QuotaExceededError"),
  short,
});
patch(FileSystemSyncAccessHandle.prototype, "truncate", "opfs-truncate", {
  throw: throws("InvalidStateError"),
  quota: throws("QuotaExceededError"),
});
// Closed all the same: a lock that is never released is the case of another tab.
patch(FileSystemSyncAccessHandle.prototype, "close", "opfs-close", {
  throw(native, self) {
    native.call(self);
    throw failure("InvalidStateError");
  },
});
