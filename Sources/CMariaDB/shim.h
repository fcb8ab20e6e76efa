// MariaDB Connector/C, and wrappers for its variadic functions, which Swift cannot import. Only static inline functions; no
// state. pkg-config (`libmariadb`) finds the headers.
#ifndef CLAIRO_CMARIADB_SHIM_H
#define CLAIRO_CMARIADB_SHIM_H

#include <mysql.h>
#include <errmsg.h>
#include <mysqld_error.h>

// Connection attributes, shown by the server's performance_schema.session_connect_attrs.
static inline int clairo_mysql_attribute(MYSQL *mysql, const char *name, const char *value) {
    return mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, name, value);
}

// The version of TLS, such as TLSv1.3, or NULL without TLS.
static inline const char *clairo_mysql_tls_version(MYSQL *mysql) {
    const char *version = (const char *)0;
    return mysql_get_ssl_cipher(mysql) && mariadb_get_infov(mysql, MARIADB_CONNECTION_TLS_VERSION, &version) == 0 ? version
                                                                                                                  : (const char *)0;
}

#endif
