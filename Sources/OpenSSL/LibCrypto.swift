internal import COpenSSL

/// OpenSSL's libcrypto as a whole.
public enum LibCrypto {
    /// Keeps libcrypto usable until the process ends. By default, exit(3) frees it under threads that still hash or sign.
    ///
    /// Call this before anything else uses libcrypto, libcurl and librdkafka included: its first user decides
    /// (OPENSSL_init_crypto(3)).
    public static func keepUntilProcessEnds() { _ = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) }
}
