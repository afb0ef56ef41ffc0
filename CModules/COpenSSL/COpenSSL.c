#include "COpenSSL.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>

static EVP_CIPHER *ciphers[apus_cipher_count];
static EVP_MD *digests[apus_digest_count];
// HMAC with its digest chosen and no key. It is only ever copied, which threads may do at the same time.
static EVP_MAC_CTX *templates[apus_digest_count];

static void fetch_all(void) {
    static const char *const cipher_names[] = {
        "AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305", "AES-128-ECB", "AES-256-ECB", "ChaCha20",
    };
    static const char *const digest_names[] = {"SHA256", "BLAKE2S-256"};
    for (int i = 0; i < apus_cipher_count; i++) ciphers[i] = EVP_CIPHER_fetch(NULL, cipher_names[i], NULL);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    for (int i = 0; i < apus_digest_count; i++) {
        digests[i] = EVP_MD_fetch(NULL, digest_names[i], NULL);
        OSSL_PARAM choice[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest_names[i], 0),
            OSSL_PARAM_construct_end(),
        };
        templates[i] = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
        if (templates[i] != NULL && EVP_MAC_CTX_set_params(templates[i], choice) != 1) {
            EVP_MAC_CTX_free(templates[i]);
            templates[i] = NULL;
        }
    }
    EVP_MAC_free(hmac);
}

static void fetch(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch_all);
}

EVP_CIPHER_CTX *apus_cipher_make(enum apus_cipher cipher) {
    fetch();
    EVP_CIPHER_CTX *context = ciphers[cipher] == NULL ? NULL : EVP_CIPHER_CTX_new();
    // Padding is left as it is: of ECB each whole block is written as it comes, and no text is ever ended; and a context whose
    // padding was turned off has it turned off once more with each nonce, which takes longer than all else but the cipher.
    if (context != NULL && EVP_EncryptInit_ex2(context, ciphers[cipher], NULL, NULL, NULL) != 1) {
        EVP_CIPHER_CTX_free(context);
        context = NULL;
    }
    if (context == NULL) ERR_clear_error();
    return context;
}

void apus_cipher_free(EVP_CIPHER_CTX *context) { EVP_CIPHER_CTX_free(context); }

bool apus_cipher_key(EVP_CIPHER_CTX *context, const void *key) {
    return EVP_EncryptInit_ex2(context, NULL, key, NULL, NULL) == 1;
}

void apus_aead_refuse(void *text, size_t length) {
    OPENSSL_cleanse(text, length);
    ERR_clear_error();
}

bool apus_hash(enum apus_digest digest, struct apus_piece a, struct apus_piece b, struct apus_piece c, void *out) {
    fetch();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL && digests[digest] != NULL
        && EVP_DigestInit_ex2(context, digests[digest], NULL) == 1
        && EVP_DigestUpdate(context, a.start, a.length) == 1 && EVP_DigestUpdate(context, b.start, b.length) == 1
        && EVP_DigestUpdate(context, c.start, c.length) == 1 && EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return done;
}

bool apus_hmac(
    enum apus_digest digest, const void *key, size_t key_length, struct apus_piece a, struct apus_piece b,
    struct apus_piece c, void *out
) {
    fetch();
    // Where there is no key NULL would stand for the one before.
    static const unsigned char none;
    EVP_MAC_CTX *context = templates[digest] == NULL ? NULL : EVP_MAC_CTX_dup(templates[digest]);
    size_t written = 0;
    bool done = context != NULL && EVP_MAC_init(context, key_length == 0 ? &none : key, key_length, NULL) == 1
        && EVP_MAC_update(context, a.start, a.length) == 1 && EVP_MAC_update(context, b.start, b.length) == 1
        && EVP_MAC_update(context, c.start, c.length) == 1 && EVP_MAC_final(context, out, &written, 32) == 1;
    EVP_MAC_CTX_free(context);
    return done && written == 32;
}

bool apus_x25519_public(const void *private_key, void *public_key) {
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, private_key, 32);
    size_t length = 32;
    bool done = own != NULL && EVP_PKEY_get_raw_public_key(own, public_key, &length) == 1 && length == 32;
    EVP_PKEY_free(own);
    if (!done) ERR_clear_error();
    return done;
}

bool apus_x25519_shared(const void *private_key, const void *public_key, void *shared) {
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, private_key, 32);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, public_key, 32);
    EVP_PKEY_CTX *context = own == NULL || peer == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    size_t length = 32;
    bool done = context != NULL && EVP_PKEY_derive_init(context) == 1
        && EVP_PKEY_derive_set_peer_ex(context, peer, 0) == 1
        && EVP_PKEY_derive(context, shared, &length) == 1 && length == 32;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    static const unsigned char zeroes[32];
    if (!done || CRYPTO_memcmp(shared, zeroes, 32) == 0) {
        OPENSSL_cleanse(shared, 32);
        ERR_clear_error();
        return false;
    }
    return true;
}

const char *apus_openssl_version(void) { return OpenSSL_version(OPENSSL_VERSION_STRING); }
