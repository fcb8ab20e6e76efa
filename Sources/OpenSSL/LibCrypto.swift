internal import COpenSSL

/// OpenSSL's libcrypto as a whole.
public enum LibCrypto {
    /// Keeps libcrypto usable until the process ends. By default, exit(3) frees its memory while other threads may
    /// still hash or sign.
    ///
    /// Call this before anything else uses libcrypto, including libcurl and librdkafka, because only the first
    /// initialization counts (OPENSSL_init_crypto(3)).
    public static func keepUntilProcessEnds() { _ = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) }
}
