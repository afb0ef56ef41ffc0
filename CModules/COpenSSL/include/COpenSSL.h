// OpenSSL 3.0's libcrypto: AEAD and header protection, digests, HMAC, X25519. A packet costs one call of these.
#pragma once
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

/// What is fetched once a process, since an implicit fetch costs more than a small packet (crypto(7), "Algorithm fetching").
enum apus_cipher {
    apus_aes_128_gcm,
    apus_aes_256_gcm,
    apus_chacha20_poly1305,
    apus_aes_128_ecb,
    apus_aes_256_ecb,
    apus_chacha20,
    apus_cipher_count
};
enum apus_digest { apus_sha256, apus_blake2s256, apus_digest_count };

/// A context of a cipher without a key, for one thread: EVP_EncryptInit(3). It is freed, and wiped, by
/// `apus_cipher_free`. NULL when the library has no such cipher or no memory.
EVP_CIPHER_CTX *apus_cipher_make(enum apus_cipher cipher);
void apus_cipher_free(EVP_CIPHER_CTX *context);

/// Sets the key, in either direction.
bool apus_cipher_key(EVP_CIPHER_CTX *context, const void *key);

/// Encrypts in place, and writes the tag of 16 octets: EVP_EncryptInit(3), "AEAD INTERFACE".
///
/// `key` is NULL if it is the one before: then only the nonce is set. The cipher is never passed again.
static inline bool apus_aead_seal(
    EVP_CIPHER_CTX *context, const void *key, const void *nonce, const void *aad, size_t aad_length, void *text,
    size_t length, void *tag
) {
    int written = 0;
    return EVP_EncryptInit_ex2(context, NULL, (const unsigned char *)key, (const unsigned char *)nonce, NULL) == 1
        && (aad_length == 0
            || EVP_EncryptUpdate(context, NULL, &written, (const unsigned char *)aad, (int)aad_length) == 1)
        && (length == 0
            || EVP_EncryptUpdate(
                   context, (unsigned char *)text, &written, (const unsigned char *)text, (int)length) == 1)
        && EVP_EncryptFinal_ex(context, (unsigned char *)tag, &written) == 1
        && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
}

/// What is left of a text that is not authentic: nothing, nor of what the library said of it.
void apus_aead_refuse(void *text, size_t length);

/// Decrypts in place if the tag is right, which the library compares in constant time; else the text is zeroes.
static inline bool apus_aead_open(
    EVP_CIPHER_CTX *context, const void *key, const void *nonce, const void *aad, size_t aad_length, void *text,
    size_t length, const void *tag
) {
    int written = 0;
    // Of these ciphers there is nothing left to be written at the end.
    unsigned char rest[16];
    bool authentic =
        EVP_DecryptInit_ex2(context, NULL, (const unsigned char *)key, (const unsigned char *)nonce, NULL) == 1
        && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, (void *)tag) == 1
        && (aad_length == 0
            || EVP_DecryptUpdate(context, NULL, &written, (const unsigned char *)aad, (int)aad_length) == 1)
        && (length == 0
            || EVP_DecryptUpdate(
                   context, (unsigned char *)text, &written, (const unsigned char *)text, (int)length) == 1)
        && EVP_DecryptFinal_ex(context, rest, &written) == 1;
    if (__builtin_expect(!authentic, 0)) apus_aead_refuse(text, length);
    return authentic;
}

/// AES of one block, by a context of ECB: EVP_EncryptInit(3). `mask` has 16 octets.
static inline bool apus_aes_block(EVP_CIPHER_CTX *context, const void *key, const void *block, void *mask) {
    int written = 0;
    return (key == NULL || apus_cipher_key(context, key))
        && EVP_EncryptUpdate(context, (unsigned char *)mask, &written, (const unsigned char *)block, 16) == 1;
}

/// The first 16 octets of ChaCha20's key stream. The IV is the block counter, of 32 bits, little-endian, and the nonce: EVP_chacha20(3).
static inline bool apus_chacha20_block(EVP_CIPHER_CTX *context, const void *key, const void *iv, void *mask) {
    static const unsigned char zeroes[16];
    int written = 0;
    return EVP_EncryptInit_ex2(context, NULL, (const unsigned char *)key, (const unsigned char *)iv, NULL) == 1
        && EVP_EncryptUpdate(context, (unsigned char *)mask, &written, zeroes, 16) == 1;
}

/// One of the pieces that are hashed as if they were one.
struct apus_piece {
    const void *start;
    size_t length;
};

/// The digest of three pieces, of 32 octets: EVP_DigestInit(3).
bool apus_hash(enum apus_digest digest, struct apus_piece a, struct apus_piece b, struct apus_piece c, void *out);

/// HMAC (RFC 2104) of three pieces, of 32 octets: EVP_MAC(3), EVP_MAC-HMAC(7).
bool apus_hmac(
    enum apus_digest digest, const void *key, size_t key_length, struct apus_piece a, struct apus_piece b,
    struct apus_piece c, void *out
);

/// The public key of a private one, both of 32 octets: EVP_PKEY_new(3), X25519(7).
bool apus_x25519_public(const void *private_key, void *public_key);

/// What two have in common by X25519. False also when that is all zeroes, as with a public key of low order (RFC 7748, section
/// 6.1).
bool apus_x25519_shared(const void *private_key, const void *public_key, void *shared);

/// OpenSSL's version.
const char *apus_openssl_version(void);
