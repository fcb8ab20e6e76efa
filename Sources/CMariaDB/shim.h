// MariaDB Connector/C, and what the Swift importer cannot see of it: variadic functions. Only static inline functions; no
// state. Found by pkg-config (`libmariadb`), which knows the folder of the headers.
#ifndef CLAIRO_CMARIADB_SHIM_H
#define CLAIRO_CMARIADB_SHIM_H

#include <mysql.h>
#include <errmsg.h>
#include <mysqld_error.h>

// Connection attributes, shown by the server's performance_schema.session_connect_attrs.
static inline int clairo_mysql_attribute(MYSQL *mysql, const char *name, const char *value) {
    return mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, name, value);
}

#endif
