// SQLite, with functions for what Swift cannot import: destructors that are numbers. Only static inline functions, no state.
#ifndef CLAIRO_CSQLITE_SHIM_H
#define CLAIRO_CSQLITE_SHIM_H

#include <sqlite3.h>

// Binds a copy of the text, which may hold NUL.
static inline int clairo_sqlite3_bind_text(sqlite3_stmt *statement, int index, const char *text, sqlite3_uint64 length) {
    return sqlite3_bind_text64(statement, index, text, length, SQLITE_TRANSIENT, SQLITE_UTF8);
}

// Binds a copy of the bytes.
static inline int clairo_sqlite3_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, sqlite3_uint64 length) {
    return length == 0 ? sqlite3_bind_zeroblob(statement, index, 0)
                       : sqlite3_bind_blob64(statement, index, bytes, length, SQLITE_TRANSIENT);
}

// Makes a name in double quotes that does not exist an error instead of a string.
static inline void clairo_sqlite3_forbid_quoted_strings(sqlite3 *database) {
    sqlite3_db_config(database, SQLITE_DBCONFIG_DQS_DDL, 0, (void *)0);
    sqlite3_db_config(database, SQLITE_DBCONFIG_DQS_DML, 0, (void *)0);
}

#endif
