// What of SQLite is a macro or takes a destructor, which Swift cannot say.
#pragma once
#include <sqlite3.h>

/// Binds bytes that stay where they are until the statement is reset.
static inline int weir_sqlite_bind_text(
    sqlite3_stmt *statement, int index, const char *text, int length) {
    return sqlite3_bind_text(statement, index, text, length, SQLITE_STATIC);
}

static inline int weir_sqlite_bind_blob(
    sqlite3_stmt *statement, int index, const void *bytes, int length) {
    return sqlite3_bind_blob(statement, index, bytes, length, SQLITE_STATIC);
}

/// Binds text that SQLite copies.
static inline int weir_sqlite_bind_copy(
    sqlite3_stmt *statement, int index, const char *text, int length) {
    return sqlite3_bind_text(statement, index, text, length, SQLITE_TRANSIENT);
}

/// Stops SQLite from counting its memory, which takes a lock at every allocation. Only before its first use.
static inline int weir_sqlite_forgo_memory_counts(void) {
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}
