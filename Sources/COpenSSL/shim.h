// Digests and authentication codes of OpenSSL's libcrypto.
#ifndef CLAIRO_COPENSSL_SHIM_H
#define CLAIRO_COPENSSL_SHIM_H

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#endif
