export {
  CertificateFolder,
  CertificateFolderError,
  certificateFiles,
  DEFAULT_NAME,
  type FolderEntry,
  type IdentityFolder,
  type IssueOptions,
  identityFiles,
} from './certificate-folder.js';
export {
  alternativeNames,
  identityUri,
  isIdentityName,
  isServiceName,
  parseIdentityUri,
  SERVICES,
  type ServiceIdentity,
  type ServiceName,
  uriOf,
} from './service-identity.js';
export { type TlsFiles, TlsIdentity, type TlsMaterial } from './tls-identity.js';
